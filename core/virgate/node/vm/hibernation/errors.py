"""What can go wrong with machines that are saved and woken up."""

from typing import ClassVar

from virgate.errors import VirgateError, error


@error
class BadHandle(VirgateError):
    """What should name the two volumes of a saved machine does not."""

    code: ClassVar[int] = 1000
    text: ClassVar[str] = (
        "Invalid parameter: {self.given!r} does not name the volumes of a saved machine; "
        "give domain, pool, image and volume of the memory, image and volume of the parameters, joined by commas"
    )
    given: str


@error
class BadConf(VirgateError):
    """The volume of the parameters holds no pickled mapping of plain values."""

    text: ClassVar[str] = "The parameters of the saved machine cannot be read: {self.detail}"
    detail: str


@error
class UnwritableConf(VirgateError):
    """A parameter of the machine is of no kind that a reader would take."""

    text: ClassVar[str] = "The parameters of the machine cannot be saved: {self.detail}"
    detail: str
