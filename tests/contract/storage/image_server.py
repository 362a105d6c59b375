"""A web server that has images and takes some; it can be slow, silent or wrong."""

from typing import Any

from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site


@define(eq=False, slots=False)
class ImageServer(Resource):
    """`content` is what it has, `taken` what came; `headers` are those of the last request."""

    isLeaf = True
    content: bytes = b""
    size: int | None = None
    """What HEAD says in X-Image-Meta-Size."""
    short: int | None = None
    """What HEAD says in Content-Length, if that is wrong."""
    code: int = 200
    silent: bool = False
    stop_after: int | None = None
    """Bytes after which the rest of an answer does not come."""
    taken: bytearray = field(factory=bytearray)
    headers: dict[str, str] = field(factory=dict)
    methods: list[str] = field(factory=list)
    asked: Deferred[None] = field(factory=Deferred)
    gone: Deferred[None] = field(factory=Deferred)
    _port: Any = None

    def __attrs_post_init__(self) -> None:
        Resource.__init__(self)

    def start(self, context: Any = None) -> "ImageServer":
        listening: Any = reactor
        site = Site(self)
        if context is None:
            self._port = listening.listenTCP(0, site, interface="127.0.0.1")
        else:
            self._port = listening.listenSSL(0, site, context, interface="127.0.0.1")
        return self

    async def stop(self) -> None:
        await self._port.stopListening()

    @property
    def number(self) -> int:
        return int(self._port.getHost().port)

    def url(self, path: str = "/image", scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.number}{path}"

    def render(self, request: Any) -> Any:
        self.methods.append(request.method.decode())
        self.headers = {
            name.decode().lower(): values[0].decode() for name, values in request.requestHeaders.getAllRawHeaders()
        }
        request.notifyFinish().addErrback(lambda _: self.gone.called or self.gone.callback(None))
        if not self.asked.called:
            self.asked.callback(None)
        if self.silent:
            return NOT_DONE_YET
        request.setResponseCode(self.code)
        if self.code == 302:
            request.setHeader("location", self.url("/elsewhere"))
        if request.method == b"PUT":
            self.taken += request.content.read()
            return b"thank you"
        request.setHeader("content-length", str(len(self.content)))
        if self.size is not None:
            request.setHeader("x-image-meta-size", str(self.size))
        if request.method == b"HEAD":
            if self.short is not None:
                request.setHeader("content-length", str(self.short))
            return b""
        if self.stop_after is None:
            return self.content
        request.write(self.content[: self.stop_after])
        return NOT_DONE_YET
