"""A third-party storage type of Virgate as a package of its own."""

from setuptools import setup

setup(
    name="virgate-example-bindmount",
    version="1.0",
    description="Storage that somebody else mounts (autofs, a systemd unit), shown in the repository by a bind mount",
    license="LGPL-2.1-or-later",
    py_modules=["virgate_example_bindmount"],
    python_requires=">=3.11",
    install_requires=["virgate"],
    entry_points={"virgate.plugins": ["example-bindmount = virgate_example_bindmount"]},
)
