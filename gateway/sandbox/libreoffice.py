"""LibreOffice as a library in this process: LibreOfficeKit, its interface in C (``LibreOfficeKit.h``).

A conversion costs a tenth of what starting LibreOffice does. It is made by a macro of ours in LibreOffice's own
language: LibreOfficeKit itself opens documents for the screen, which builds that Debian calls "nogui" cannot do with
spreadsheets, and would run a document's macros if they were signed well.
"""

from ctypes import CDLL, CFUNCTYPE, POINTER, RTLD_GLOBAL, Structure, c_char_p, c_int, c_size_t, c_void_p, cast
from pathlib import Path

#: The library that has LibreOfficeKit: in one piece as distributions build it, or apart.
LIBRARIES = ("libmergedlo.so", "libsofficeapp.so")

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<!DOCTYPE {0} PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "{1}.dtd">\n'
)
_LIBRARIES = (
    _HEAD.format("library:libraries", "libraries")
    + '<library:libraries xmlns:library="http://openoffice.org/2000/library">'
    '<library:library library:name="Standard" library:link="false"/></library:libraries>'
)
_LIBRARY = (
    _HEAD.format("library:library", "library")
    + '<library:library xmlns:library="http://openoffice.org/2000/library" library:name="Standard">'
    '<library:element library:name="Fax"/></library:library>'
)
#: Macros of the document never run, and nothing that it refers to is fetched.
_MODULE = (
    _HEAD.format("script:module", "module")
    + """<script:module xmlns:script="http://openoffice.org/2000/script" script:name="Fax" script:language="StarBasic">
Function Named(name, value)
  Dim property As New com.sun.star.beans.PropertyValue
  property.Name = name
  property.Value = value
  Named = property
End Function

Sub Convert(source, target)
  opening = Array(Named("Hidden", True), Named("ReadOnly", True), _
    Named("MacroExecutionMode", com.sun.star.document.MacroExecMode.NEVER_EXECUTE), _
    Named("UpdateDocMode", com.sun.star.document.UpdateDocMode.NO_UPDATE))
  document = StarDesktop.loadComponentFromURL(source, "_blank", 0, opening)
  If IsNull(document) Then Exit Sub
  kind = "writer"
  If document.supportsService("com.sun.star.sheet.SpreadsheetDocument") Then kind = "calc"
  If document.supportsService("com.sun.star.presentation.PresentationDocument") Then kind = "impress"
  document.storeToURL(target, Array(Named("FilterName", kind &amp; "_pdf_Export")))
  document.close(True)
End Sub
</script:module>"""
)
_FILES = {"script.xlc": _LIBRARIES, "Standard/script.xlb": _LIBRARY, "Standard/Fax.xba": _MODULE}


class _Kit(Structure):
    """The first members of ``struct _LibreOfficeKitClass``."""

    _fields_ = (
        ("size", c_size_t),
        *((name, c_void_p) for name in ("destroy", "load", "error", "load_with", "free_error", "callback", "filters")),
        *((name, c_void_p) for name in ("features", "password", "version")),
        ("run_macro", CFUNCTYPE(c_int, c_void_p, c_char_p)),
    )


class LibreOffice:
    """LibreOffice in this process, with its profile in *folder*."""

    def __init__(self, program: Path, folder: Path) -> None:
        """Load it from the folder *program*; raises OSError when that does not work."""
        library = next((program / name for name in LIBRARIES if (program / name).exists()), None)
        if library is None:
            raise FileNotFoundError(f"{program} has no LibreOfficeKit")
        hook = CDLL(str(library), mode=RTLD_GLOBAL).libreofficekit_hook_2
        hook.argtypes, hook.restype = [c_char_p, c_char_p], c_void_p
        profile = folder / "profile"
        self._kit = hook(str(program).encode(), profile.as_uri().encode())
        if not self._kit:
            raise OSError("LibreOfficeKit does not start")
        # The first member of the object points to its methods.
        self._calls = cast(c_void_p.from_address(self._kit).value or 0, POINTER(_Kit)).contents
        for name, text in _FILES.items():  # now: the first start fills the profile
            file = profile / "user" / "basic" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")

    def convert(self, source: Path, target: Path) -> bool:
        """Write the document *source* to *target* as PDF; return whether that was possible."""
        macro = f'macro:///Standard.Fax.Convert("{source.as_uri()}","{target.as_uri()}")'
        return bool(self._calls.run_macro(self._kit, macro.encode())) and target.exists()
