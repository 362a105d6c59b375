"""Devices of machines that run: plugged, unplugged, changed. One module per kind of device.

Read `steps.py` first (what all of them do), then `disk.py`. Each change holds `machine.changing`, is written into the
domain's metadata before the hypervisor is asked, so that a daemon that dies in between finds whose device it is, and
ends with `machine.devices_changed()`. `removal.py` waits until a guest has let go of a device, `late.py` hears of those
that do so after everybody has given up waiting.

Nothing here is imported by an idle daemon but `late.py`.
"""
