"""Wishes for larger volumes, carried to the SPM through files of the master domain (spec storage-format 6).

`requests.py` and `postbox.py` are the two sides without I/O, over the bytes of `formats/mailbox`; read them first.
`sender.py` drives the first one on a host that wishes, `office.py` the second one on the SPM; `places.py` reads and
writes blocks. Who may wish for what, and which other road there is, stands in `thin/`.
"""
