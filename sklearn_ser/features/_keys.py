"""Keys of the feature cache: all that determines the features of a clip.

For the transformers of this package that is their parameters and the code of the package. For
somebody else's it is also their own code as it is loaded: of the class, its bases, and what these
use, wherever it stands. Where that is not known, nothing is cached.
"""

import dis
import functools
import hashlib
import importlib
import site
import sys
import sysconfig
import types
import warnings
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import joblib
import numpy as np

__all__ = ["code_version", "describe_setting", "is_own", "make_key"]

_OWN = __name__.partition(".")[0]
_LIBRARIES = ("sklearn-ser", "numpy", "scipy", "soxr", "soundfile", "resampy", "librosa")
_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...))
_TOLD: set[type] = set()


def describe_setting(transformer) -> bytes | None:
    """Return all that decides what a transformer computes: class, parameters, content, code.

    `None`, with one warning per class, where the code of somebody else's class is not known.
    """
    kind = type(transformer)
    try:
        code = b"" if is_own(kind) else _Fingerprint().of(kind)
        parameters = transformer.get_params().items()
        setting = [
            f"{kind.__module__}.{kind.__qualname__} {code_version()}".encode(),
            code,
            *(name.encode() + b"=" + _Fingerprint().of(value) for name, value in parameters),
            transformer.content(),
        ]
    except (_UnknownCodeError, RecursionError) as error:
        if kind not in _TOLD:
            _TOLD.add(kind)
            warnings.warn(
                f"Features of {kind.__qualname__} are not cached: {error}.",
                UserWarning,
                stacklevel=2,
            )
        return None
    return hashlib.sha256(b"\0".join(map(_digest, setting))).digest()


def is_own(kind: type) -> bool:
    """Say whether a class is this package's."""
    return kind.__module__.partition(".")[0] == _OWN


def make_key(content: str, *settings: bytes) -> bytes:
    """Return the key of the features of a clip, from its checksum and what decides them."""
    return hashlib.sha256(b" ".join([content.encode(), *settings])).digest()


@functools.cache
def code_version() -> str:
    """Return a checksum of the code that computes features, this package's and its libraries'."""
    checksum = hashlib.sha256()
    here = Path(__file__).parent
    for file in sorted([*here.glob("*.py"), *(here.parent / "audio").glob("*.py")]):
        checksum.update(file.read_bytes())
    for package in _LIBRARIES:
        try:
            checksum.update(f"{package} {version(package)}".encode())
        except PackageNotFoundError:  # resampy is in an extra
            continue
    return checksum.hexdigest()


class _UnknownCodeError(Exception):
    """Something that decides features cannot be told apart from what it was before."""


class _Fingerprint:
    """A checksum of values and code, following what the code uses.

    Functions and classes of the user are described by their instructions, and by the functions,
    classes and values they name; what is installed by its version.
    """

    def __init__(self) -> None:
        self._seen: dict[
            tuple[int, Any], Any
        ] = {}  # holds what was seen, so that no id comes twice

    def of(self, value: Any) -> bytes:
        """Return the checksum of a value, a function, a class or a module."""
        return _digest(b"".join(self._describe(value)))

    def _describe(self, value: Any) -> Iterator[bytes]:
        if isinstance(value, _PLAIN):
            yield f"{type(value).__name__} {value!r};".encode()
            return
        yield type(value).__name__.encode() + b" "
        if isinstance(value, tuple):
            for item in value:
                yield from self._describe(item)
            return
        if self._meets_again(value):
            return
        if isinstance(value, list):
            for item in value:
                yield from self._describe(item)
        elif isinstance(value, dict):
            for key, item in value.items():
                yield from self._describe(key)
                yield from self._describe(item)
        elif isinstance(value, set | frozenset):
            yield b"".join(sorted(_Fingerprint().of(item) for item in value))
        elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
            yield f"{value.dtype} {value.shape}".encode() + np.ascontiguousarray(value).tobytes()
        elif isinstance(value, types.ModuleType | types.BuiltinFunctionType):
            yield from self._describe_compiled(value)
        elif isinstance(value, type):
            yield from self._describe_class(value)
        elif isinstance(value, types.FunctionType):
            yield from self._describe_function(value)
        elif isinstance(value, staticmethod | classmethod):
            yield from self._describe(value.__func__)
        elif isinstance(value, property):
            yield from self._describe((value.fget, value.fset))
        elif isinstance(value, functools.partial):
            yield from self._describe((value.func, value.args, value.keywords))
        elif isinstance(value, types.MethodType):
            yield from self._describe((value.__func__, value.__self__))
        else:
            yield from self._describe_object(value)

    def _describe_object(self, value: Any) -> Iterator[bytes]:
        if (wrapped := getattr(value, "__wrapped__", None)) is not None:  # lru_cache and its like
            yield from self._describe(wrapped)
            return
        try:
            yield joblib.hash(value).encode()
        except Exception as error:  # whatever pickling meets
            reason = f"they depend on {value!r:.80}, which has no checksum"
            raise _UnknownCodeError(reason) from error
        yield from self._describe_class(type(value))

    def _meets_again(self, value: Any, detail: Any = None) -> bool:
        if (id(value), detail) in self._seen:
            return True
        self._seen[id(value), detail] = value
        return False

    def _describe_compiled(self, value: Any) -> Iterator[bytes]:
        """Describe a function that is no Python code, or a whole module, by its file."""
        name = getattr(value, "__module__", None) or value.__name__
        yield f"{value.__name__} ".encode()
        yield _installed(name) if _is_installed(name) else _file_checksum(name)

    def _describe_class(self, kind: type) -> Iterator[bytes]:
        for base in kind.__mro__:
            yield f"{base.__module__}.{base.__qualname__} ".encode()
            if _is_installed(base.__module__):
                yield _installed(base.__module__)
                continue
            for name, value in sorted(vars(base).items()):
                special = name.startswith("__") and not isinstance(value, types.FunctionType)
                slot = isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType)
                if not (special or slot or name == "_abc_impl"):
                    yield name.encode() + b" "
                    yield from self._describe(value)

    def _describe_function(self, function: types.FunctionType) -> Iterator[bytes]:
        module = function.__module__ or ""
        if _is_installed(module):
            yield f"{module}.{function.__qualname__} ".encode() + _installed(module)
            return
        yield from self._describe((function.__defaults__, function.__kwdefaults__))
        for cell in function.__closure__ or ():
            with suppress(ValueError):  # not filled yet
                yield from self._describe(cell.cell_contents)
        yield from self._describe_code(function.__code__, function.__globals__)

    def _describe_code(self, code: types.CodeType, names: dict[str, Any]) -> Iterator[bytes]:
        yield code.co_code + repr((code.co_names, code.co_varnames, code.co_flags)).encode()
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                yield from self._describe_code(constant, names)
            else:
                yield from self._describe(constant)
        used = [names[name] for name in code.co_names if name in names]
        for value in [*used, *_imports_of(code, names.get("__package__"))]:
            yield from self._describe_used(value, code.co_names)

    def _describe_used(self, value: Any, attributes: tuple[str, ...]) -> Iterator[bytes]:
        """Describe what code names; of a module of the user's what the code takes of it."""
        if not isinstance(value, types.ModuleType):
            yield from self._describe(value)
        elif _is_installed(value.__name__):
            yield _installed(value.__name__)
        elif not self._meets_again(value, attributes):
            for name in attributes:
                if name in vars(value):
                    yield name.encode() + b" "
                    yield from self._describe_used(vars(value)[name], attributes)


def _imports_of(code: types.CodeType, package: str | None) -> Iterator[types.ModuleType]:
    """Yield the modules that code imports when it runs, which it will do anyway."""
    instructions = list(dis.get_instructions(code))
    for i, instruction in enumerate(instructions):
        if instruction.opname != "IMPORT_NAME":
            continue
        level = next((k.argval for k in instructions[i - 2 : i] if isinstance(k.argval, int)), 0)
        with suppress(ImportError, ValueError, TypeError):
            yield importlib.import_module("." * level + instruction.argval, package)


@functools.lru_cache(maxsize=1024)
def _is_installed(module: str) -> bool:
    """Say whether a module is Python's own, this package's, or installed from a package."""
    root = module.partition(".")[0]
    if root == "__main__":
        return False
    if root == _OWN or root in sys.stdlib_module_names:
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    return file is not None and any(Path(file).is_relative_to(folder) for folder in _SITE)


_SITE = {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")} | {
    Path(folder) for folder in [*site.getsitepackages(), site.getusersitepackages()]
}


@functools.lru_cache(maxsize=1024)
def _installed(module: str) -> bytes:
    """Return the version of the package a module came with, and a checksum of its file."""
    root = module.partition(".")[0]
    if root == _OWN or root in sys.stdlib_module_names:
        return root.encode()
    return str(getattr(sys.modules.get(root), "__version__", "")).encode() + _file_checksum(module)


def _file_checksum(module: str) -> bytes:
    file = getattr(sys.modules.get(module), "__file__", None)
    try:
        return hashlib.sha256(Path(file or "").read_bytes()).digest()
    except OSError as error:
        raise _UnknownCodeError(f"the file of the module {module} cannot be read") from error


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
