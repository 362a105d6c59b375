"""Verbs that old clients know and that are not built yet: listed, described, answered with code 44.

A built verb wins over its line here; the line then goes. The names are those of spec verbs.txt.
"""

from virgate.api.verb import Family, planned


def _host(name: str, xmlrpc: str, summary: str) -> None:
    planned(name, xmlrpc=xmlrpc, summary=summary)


def _storage(name: str, xmlrpc: str, summary: str) -> None:
    planned(name, xmlrpc=xmlrpc, family=Family.STORAGE, summary=summary)


# The host
_host("Host.setMOMPolicy", "setMOMPolicy", "Replace the memory policy.")
_host("Host.setMOMPolicyParameters", "setMOMPolicyParameters", "Set variables of the memory policy.")

# Networks
_host("Host.setupNetworks", "setupNetworks", "Bring the host's networks into a wanted state.")
_host("Host.addNetwork", "addNetwork", "Add one network.")
_host("Host.delNetwork", "delNetwork", "Remove one network.")
_host("Host.editNetwork", "editNetwork", "Change one network.")
_host("Host.setSafeNetworkConfig", "setSafeNetworkConfig", "Keep the present network configuration over a restart.")

# Storage servers, devices, volume groups

# Pools and the SPM

# Volumes and images

# Tasks
