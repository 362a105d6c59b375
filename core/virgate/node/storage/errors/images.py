"""What can go wrong with an image, and with the programs that copy it (codes 251 to 268)."""

from typing import ClassVar

from virgate.errors import error
from virgate.node.storage.errors.base import StorageError


@error
class CannotMerge(StorageError):
    code: ClassVar[int] = 252
    text: ClassVar[str] = "Cannot merge {self.ancestor} into {self.successor}: {self.reason}"
    ancestor: str
    successor: str
    reason: str


@error
class CannotMove(StorageError):
    code: ClassVar[int] = 253
    text: ClassVar[str] = "Cannot move image {self.image}: {self.reason}"
    image: str
    reason: str


@error
class NoImageFolder(StorageError):
    code: ClassVar[int] = 254
    text: ClassVar[str] = "Image folder does not exist: {self.image}"
    image: str


@error
class ChainsDiffer(StorageError):
    code: ClassVar[int] = 260
    text: ClassVar[str] = "Image {self.image} differs between source and destination"
    image: str


@error
class TransferEnded(StorageError):
    """The client left before all bytes had passed."""

    code: ClassVar[int] = 443
    text: ClassVar[str] = "The client ended the transfer"


@error
class IllegalChain(StorageError):
    code: ClassVar[int] = 262
    text: ClassVar[str] = "Image {self.image} is not a legal chain: {self.reason}"
    image: str
    reason: str


@error
class ImageNotCopied(StorageError):
    """Whatever kept data of an image from being copied."""

    code: ClassVar[int] = 261


@error
class CannotCopyImage(ImageNotCopied):
    text: ClassVar[str] = "Cannot copy {self.source} to {self.target}: {self.reason}"
    source: str
    target: str
    reason: str


@error
class CannotMoveAll(StorageError):
    code: ClassVar[int] = 264
    text: ClassVar[str] = "Cannot move image {self.image}, so no image was moved: {self.reason}"
    image: str
    reason: str


@error
class HttpFailed(ImageNotCopied):
    """`server` is host and port: a URL may hold a secret."""

    text: ClassVar[str] = "Cannot copy an image from or to {self.server}: {self.reason}"
    server: str
    reason: str


@error
class CannotSparsify(StorageError):
    code: ClassVar[int] = 234
    text: ClassVar[str] = "Cannot sparsify volume {self.volume}: {self.reason}"
    volume: str
    reason: str


@error
class NotSparse(StorageError):
    code: ClassVar[int] = 233
    text: ClassVar[str] = "Volume {self.volume} is not sparse"
    volume: str


@error
class TemplateInUse(StorageError):
    code: ClassVar[int] = 266
    text: ClassVar[str] = "Image {self.image} is a template in use and cannot be moved"
    image: str


@error
class NoSuchImage(StorageError):
    code: ClassVar[int] = 268
    text: ClassVar[str] = "Image {self.image} does not exist in domain {self.domain}"
    image: str
    domain: str


@error
class ProgramFailed(StorageError):
    """qemu-img or another program said no; callers turn it into the code of what they did."""

    text: ClassVar[str] = "{self.program} failed: {self.reason}"
    program: str
    reason: str
