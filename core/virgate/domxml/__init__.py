"""Domain XML: parameters in, libvirt documents out, and back again. Pure: no connection, no file, no clock.

Read `request` first: `read_request` turns the parameters of `create` (a list of devices, or a whole document) into a
`MachineRequest`, whose `domain(sources)` is the document for libvirt once the disks have paths. `metadata` keeps what
libvirt itself has no place for, `running` reads a live document back, `hooked` finds the devices for scripts.
Every text of a client comes in through `tree`: no entities, no document type, no markup that was not built here.
"""
