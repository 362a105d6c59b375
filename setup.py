"""Virgate: a virtualization manager in which every concern is a plugin and every event can be hooked."""

from pathlib import Path

from setuptools import find_packages, setup

ROOMS = {"core": "virgate", "plugins": "virgate_plugins", "guest": "virgate_guest"}


def packages() -> list[str]:
    return [name for folder in ROOMS for name in find_packages(folder)]


setup(
    name="virgate",
    version="0.1.0",
    description="Virtual machines on one host or many, with the hooks, clients and storage of the oVirt family",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="LGPL-2.1-or-later",
    python_requires=">=3.11",
    packages=packages(),
    package_dir={package: f"{folder}/{package}" for folder, package in ROOMS.items()},
    package_data={"virgate": ["py.typed", "hookscripts/compat/**/*.py"], "virgate_plugins": ["py.typed"]},
    install_requires=[
        "attrs>=23.1",
        "automat>=25.4",
        "click>=8.1",
        "cryptography>=42",
        "libvirt-python>=9",
        "lxml>=4.9",
        "msgpack>=1.0",
        "pluggy>=1.5",
        "pyasyncore>=1.0; python_version >= '3.12'",
        "pyinotify>=0.9.6",
        "pyopenssl>=24",
        "rich>=13",
        "service-identity>=23",
        "twisted>=24.7",
    ],
    extras_require={
        "dev": [
            "hypothesis>=6.100",
            "import-linter>=2.1",
            "lxml-stubs",
            "mypy>=1.11",
            "pytest>=8",
            "pytest-timeout>=2.3",
            "pytest-twisted>=1.14",
            "pytest-xdist>=3.5",
            "ruff>=0.6",
        ],
    },
    entry_points={
        "console_scripts": [
            "virgated = virgate.daemon:main",
            "virgate = virgate.cli:main",
            "virgate-guest = virgate_guest:main",
        ],
        "virgate.plugins": [
            "scripts = virgate_plugins.scripts",
            "xmlrpc = virgate_plugins.transports.xmlrpc",
            "jsonrpc = virgate_plugins.transports.jsonrpc",
            "localfs = virgate_plugins.storage.localfs",
            "nfs = virgate_plugins.storage.nfs",
            "iscsi = virgate_plugins.storage.iscsi",
            "fcp = virgate_plugins.storage.fcp",
            "posixfs = virgate_plugins.storage.posixfs",
            "glusterfs = virgate_plugins.storage.glusterfs",
            "local-lease = virgate_plugins.leases.local",
            "sanlock = virgate_plugins.leases.sanlock",
            "safelease = virgate_plugins.leases.safelease",
        ],
    },
)
