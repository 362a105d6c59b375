"""The `[thin]` settings."""

from attrs.validators import ge, gt, lt

from virgate.config import option, section


@section("thin")
class ThinSettings:
    """Thin volumes on block storage: how they grow while machines write to them."""

    chunk: int = option(2560, "MiB that a thin volume is made larger by.", gt(0))
    percent: int = option(
        20, "A volume grows when less than 100 minus so many per cent of a chunk is free in it.", ge(0), lt(100)
    )
    direct: bool = option(True, "Whether the SPM is called at its own port first; storage carries wishes anyway.")
    patience: float = option(1.0, "Seconds the SPM has to answer such a call before storage carries the wish.", gt(0))
    address: str = option(
        "",
        "Address under which other hosts reach this one's management port while it is SPM; empty: the one it listens"
        " on, or with a wildcard that of the default route.",
    )
    retry: float = option(
        5.0, "Seconds between two attempts to give room to a machine that stopped for want of it.", gt(0)
    )
