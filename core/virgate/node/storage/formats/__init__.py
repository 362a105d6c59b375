"""The bytes of a storage domain as pure functions: no I/O, no clock, no reactor.

One module per format. Each says which part of the storage format specification it implements and is held to that
part's conformance vectors in `tests/conformance/formats`. Start with `domain_metadata` and `volume_metadata`.
"""
