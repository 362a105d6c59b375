"""Verbs that import machines of other hypervisors (spec xmlrpc-host-vm 2.5)."""

from virgate.api.verb import Reply, verb
from virgate.api.wire import Anything, Struct, Text, array
from virgate.node.node import Node


@verb("Host.getExternalVMs", xmlrpc="getExternalVMs", secret=("password",))
async def machines(node: Node, uri: Text, username: Text, password: Text, vm_names: Anything = None) -> Reply:
    """Machines of another hypervisor: VMware, Xen or KVM."""
    names = [str(name) for name in array(vm_names)] if vm_names else None
    return Reply({"vmList": await node.v2v.imports.machines(uri, username, password, names)})


@verb("Host.getExternalVMNames", xmlrpc="getExternalVMNames", secret=("password",))
async def machine_names(node: Node, uri: Text, username: Text, password: Text) -> Reply:
    """Names of the machines of another hypervisor."""
    return Reply({"vmNames": await node.v2v.imports.names(uri, username, password)})


@verb("Host.getExternalVmFromOva", xmlrpc="getExternalVmFromOva")
async def machine_in_archive(node: Node, ova_path: Text) -> Reply:
    """The machine in an OVA: a tar, a zip or a folder on this host."""
    return Reply({"vmList": await node.v2v.imports.in_archive(ova_path)})


@verb("Host.convertExternalVm", xmlrpc="convertExternalVm", secret=("password",))
async def convert(node: Node, uri: Text, username: Text, password: Text, vminfo: Struct, jobid: Text) -> None:
    """Import a machine of another hypervisor into prepared volumes; a job in the host's statistics."""
    node.v2v.imports.convert(uri, username, password, vminfo, jobid)


@verb("Host.convertExternalVmFromOva", xmlrpc="convertExternalVmFromOva")
async def convert_archive(node: Node, ova_path: Text, vminfo: Struct, jobid: Text) -> None:
    """Import the machine in an OVA into prepared volumes; a job in the host's statistics."""
    node.v2v.imports.convert_archive(ova_path, vminfo, jobid)


@verb("Host.getConvertedVm", xmlrpc="getConvertedVm")
async def converted(node: Node, jobid: Text) -> Reply:
    """The description (OVF) of an imported machine."""
    return Reply({"ovf": node.v2v.imports.description(jobid)})


@verb("Host.abortV2VJob", xmlrpc="abortV2VJob")
async def abort(node: Node, jobid: Text) -> None:
    """Stop an import."""
    node.v2v.imports.abort(jobid)


@verb("Host.deleteV2VJob", xmlrpc="deleteV2VJob")
async def delete(node: Node, jobid: Text) -> None:
    """Forget an import that ended."""
    node.v2v.imports.delete(jobid)
