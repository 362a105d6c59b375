"""Thin disks of running machines are given room before the guest notices (spec xmlrpc-storage 8.7).

The hypervisor tells once when a guest writes beyond an offset: nothing is asked while guests are quiet.
"""

from virgate.node.vm.thin.watermarks import Watermarks

__all__ = ["Watermarks"]
