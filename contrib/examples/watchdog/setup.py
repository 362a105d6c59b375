"""A third-party plugin of Virgate as a package of its own."""

from setuptools import setup

setup(
    name="virgate-example-watchdog",
    version="1.2.3",
    description="Gives every machine a watchdog device",
    license="LGPL-2.1-or-later",
    py_modules=["virgate_example_watchdog"],
    python_requires=">=3.11",
    install_requires=["virgate"],
    entry_points={"virgate.plugins": ["example-watchdog = virgate_example_watchdog"]},
)
