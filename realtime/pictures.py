"""QR pictures: drawn for hosts, and read from the frames of a phone's camera."""

import io

import segno
import zxingcpp
from PIL import UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from realtime.protocol.errors import InvalidRequest

_FORMATS = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
MAX_PIXELS = 1280 * 1280
"""Of a camera's frame: a small file may hold a huge picture."""


def qr_svg(text: str) -> bytes:
    """Return a QR picture of ``text`` as SVG, black on white with its margin, scaling to any size."""
    picture = io.BytesIO()
    code = segno.make_qr(text, error="m")
    code.save(picture, kind="svg", border=4, dark="#000", light="#fff", omitsize=True, xmldecl=False)
    return picture.getvalue()


def texts_in_jpeg(picture: bytes) -> list[str]:
    """Return the texts of the QR codes in a JPEG picture; raise `InvalidRequest` for anything else."""
    try:
        # Not by `Image.open`, which has warnings and errors of its own for what is huge.
        with JpegImageFile(io.BytesIO(picture)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise InvalidRequest(f"The picture has more than {MAX_PIXELS} pixels", field="body")
            grey = image.convert("L")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        raise InvalidRequest("This is not a JPEG picture", field="body") from None
    return [found.text for found in zxingcpp.read_barcodes(grey, formats=_FORMATS)]
