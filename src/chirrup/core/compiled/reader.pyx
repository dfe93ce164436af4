# cython: language_level=3, boundscheck=False, wraparound=False
"""The compiled form of `chirrup.core.reader`: expat's handlers are C functions, which build elements without a call of
Python for each event.

Expat is the system's, as the one within Python doesn't tell C where it stands. What is refused, and the words for it, is
in `chirrup.core.refusals`.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memchr, memcmp, memcpy, strlen

from chirrup.core.compiled.elements cimport CHILDREN, held, make_element, make_received, prepare_elements
from chirrup.core.compiled.expat cimport *

from chirrup.core.refusals import (
    COMMENT,
    DOCTYPE,
    INSTRUCTION,
    check_declaration,
    malformed,
    not_utf8,
    restricted,
    stray_text,
    too_big,
    too_deep,
    too_many_attributes,
    too_many_elements,
)
from chirrup.core.writing import CLIENT

cdef extern from "string.h":
    void *memmem(const void *where, size_t length, const void *what, size_t what_length)

CONTENT_NAMESPACES = frozenset({CLIENT, "jabber:server", "jabber:component:accept"})
USUAL_PREFIXES = frozenset({"", "stream"})


def prepare(element, received):
    """Must be called before anything is read, with the classes of elements."""
    prepare_elements(element, received)


# -- names

cdef enum:
    PLACES = 1_024

cdef list names = [None] * PLACES
"""Names that were seen lately, each in the place that its octets give: (octets, the whole, local name, namespace)."""


cdef tuple known(const char *octets):
    """A name as expat reports it."""
    cdef size_t length = strlen(octets)
    cdef size_t place = length
    cdef size_t at
    for at in range(length - 6 if length > 6 else 0, length):
        place = place * 31 + <unsigned char>octets[at]
    place = (place * 31 + <unsigned char>octets[length // 2]) % PLACES
    cdef tuple entry = <tuple>PyList_GET_ITEM(names, place)
    if entry is not None:
        found = entry[0]
        if PyBytes_GET_SIZE(found) == <Py_ssize_t>length and not memcmp(PyBytes_AS_STRING(found), octets, length):
            return entry
    whole = PyUnicode_DecodeUTF8(octets, length, NULL)
    ns, _, name = whole.rpartition("}")
    if ns == CLIENT:
        ns = CLIENT  # the one that is compared by identity
    entry = (PyBytes_FromStringAndSize(octets, length), whole, name, ns)
    if length < 200:
        names[place] = entry
    return entry


# -- expat's memory

cdef size_t allocated = 0
"""Octets that expat has asked for, all in all."""


cdef void *count_malloc(size_t size) noexcept:
    global allocated
    allocated += size
    return malloc(size)


cdef void *count_realloc(void *block, size_t size) noexcept:
    global allocated
    allocated += size
    return realloc(block, size)


cdef XML_Memory_Handling_Suite counting
counting.malloc_fcn, counting.realloc_fcn, counting.free_fcn = count_malloc, count_realloc, free


# -- reading

cdef enum:
    MAX_ALLOCATED = 524_288  # after which a reader is full: names, prefixes and all else
    TEXT_BUFFER = 2_048
    FEW = 3


@cython.final
cdef class Reader:
    """`chirrup.core.reader.Reader` says what it does."""

    cdef XML_Parser expat
    cdef readonly object limits
    cdef readonly dict prefixes
    cdef readonly object header
    cdef readonly bytes name
    cdef public list ready
    cdef readonly bint ended
    cdef readonly bint open
    cdef public XML_Index start
    cdef readonly XML_Index fed
    cdef size_t allocated  # octets that expat has asked for since this reader began
    cdef object error  # what a handler raised
    cdef bint outside, reopened  # the stream's own start tag is still to come; and was read before
    cdef object content_ns
    cdef Py_ssize_t max_attributes, max_depth, max_elements, max_bytes, few, elements
    cdef object current
    cdef list stack
    cdef const char *data  # what expat is reading
    cdef XML_Index base  # how much it was given before
    cdef XML_Index inside  # where the start tag of the first-level element ends
    cdef int buffered
    cdef char buffer[TEXT_BUFFER]  # text to which more may come

    def __cinit__(self, limits, dict prefixes, bytes opening=b""):
        self.limits = limits
        self.max_attributes, self.max_depth = limits.attributes, limits.depth
        self.max_elements, self.max_bytes = limits.elements, limits.stanza_bytes
        self.few = self.max_elements
        self.prefixes = prefixes
        self.name = b""
        self.ready = []
        self.stack = []
        self.outside, self.reopened = True, bool(opening)
        self.content_ns = CLIENT
        cdef size_t before = allocated
        self.expat = XML_ParserCreate_MM(b"UTF-8", &counting, b"}")
        if self.expat is NULL:
            raise MemoryError
        self.allocated = allocated - before
        XML_SetUserData(self.expat, <void *>self)
        XML_SetElementHandler(self.expat, on_start, on_end)
        XML_SetCharacterDataHandler(self.expat, on_text)
        XML_SetXmlDeclHandler(self.expat, on_declaration)
        XML_SetStartDoctypeDeclHandler(self.expat, on_doctype)
        XML_SetCommentHandler(self.expat, on_comment)
        XML_SetProcessingInstructionHandler(self.expat, on_instruction)
        stop_deferring(self.expat)
        if opening:
            self.begin()
            self.read(opening)
            self.start = self.fed
        else:
            XML_SetStartNamespaceDeclHandler(self.expat, on_prefix)

    def __dealloc__(self):
        if self.expat is not NULL:
            XML_ParserFree(self.expat)

    def discard(self):
        self.check_free()
        if self.expat is not NULL:
            XML_ParserFree(self.expat)
            self.expat = NULL

    cdef int check_free(self) except -1:
        """Expat can't be called, nor done away with, by what it calls."""
        if self.data is not NULL:
            raise RuntimeError("the reader is at work")
        return 0

    @property
    def position(self):
        return self.fed if self.expat is NULL else XML_GetCurrentByteIndex(self.expat)

    @property
    def full(self):
        return self.allocated > MAX_ALLOCATED

    cpdef read(self, bytes data):
        self.check_free()
        if self.expat is NULL:
            return
        cdef size_t before = allocated
        cdef int length = PyBytes_GET_SIZE(data)
        self.data, self.base = PyBytes_AS_STRING(data), self.fed
        self.fed += length
        cdef int status = XML_Parse(self.expat, self.data, length, False)
        self.data = NULL
        self.allocated += allocated - before
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        if status == XML_STATUS_ERROR:
            raise malformed(XML_GetErrorCode(self.expat), data, headless=not (self.name or self.reopened))
        self.flush()

    cdef void fail(self, error) noexcept:
        """Stop reading, because of this error."""
        self.error = error
        XML_StopParser(self.expat, False)

    cdef int begin(self) except -1:
        """What the stream's header declared is known."""
        default = self.prefixes.get("", "")
        if default != CLIENT and default in CONTENT_NAMESPACES:
            self.content_ns = default
        if default == CLIENT and self.prefixes.keys() <= USUAL_PREFIXES:
            self.few = FEW
        return 0

    cdef int start_tag(self, const char *tag, const char **attributes) except -1:
        cdef tuple entry = known(tag)
        cdef dict attrs = {}
        cdef Py_ssize_t count = 0
        cdef list children
        self.flush()
        ns = entry[3]
        if self.content_ns is not CLIENT and ns == self.content_ns:
            ns = CLIENT
        while attributes[0] is not NULL:
            attrs[known(attributes[0])[1]] = PyUnicode_DecodeUTF8(attributes[1], strlen(attributes[1]), NULL)
            attributes += 2
            count += 1
        element = make_element(entry[2], ns, attrs, [])
        self.elements += 1
        if count > self.max_attributes:
            raise too_many_attributes(self.limits)
        if self.current is not None:
            self.stack.append(self.current)
            if PyList_GET_SIZE(self.stack) >= self.max_depth:
                raise too_deep(self.limits)
            if self.elements > self.max_elements:
                raise too_many_elements(self.limits)
            (<list>held(self.current, CHILDREN)).append(element)
        elif self.outside:
            self.outside = False
            if not self.reopened:
                self.header_tag(element)
            return 0
        else:
            self.elements = 1
            self.open = True
            self.start = XML_GetCurrentByteIndex(self.expat)
            self.inside = self.start + XML_GetCurrentByteCount(self.expat)
        self.current = element
        return 0

    cdef int header_tag(self, header) except -1:
        """The stream's start tag."""
        cdef int offset, size, length
        cdef const char *context = XML_GetInputContext(self.expat, &offset, &size)
        if context is NULL or context[offset] != b"<":
            raise not_utf8()  # expat reads UTF-16 too, whatever it was told
        length = name_length(context + offset + 1, size - offset - 1)
        if length < 1:
            raise not_utf8()
        self.header, self.name = header, context[offset + 1 : offset + 1 + length]
        XML_SetStartNamespaceDeclHandler(self.expat, NULL)
        self.begin()
        return 0

    cdef int end_tag(self) except -1:
        cdef XML_Index at
        self.flush()
        if self.stack:
            self.current = self.stack.pop()
        elif self.current is not None:
            at = XML_GetCurrentByteIndex(self.expat)
            if at - self.start > self.max_bytes:
                raise too_big(self.limits)
            if self.elements > self.few and self.start >= self.base:
                self.keep(at)
            self.ready.append(self.current)
            self.open = False
            self.current = None
        else:
            self.ended = True
        return 0

    cdef int keep(self, XML_Index end) except -1:
        """Keep the octets inside the element, where its start tag declares nothing that they could use."""
        cdef const char *tag = self.data + (self.start - self.base)
        cdef size_t length = self.inside - self.start
        if memchr(tag, b":", 1 + name_length(tag + 1, length - 1)) or memmem(tag, length, b"xmlns", 5):
            return 0
        if memmem(tag, end - self.start, b"stream:", 7):
            return 0
        came = (<list>held(self.current, CHILDREN))[:]
        self.current = make_received(self.current, came, tag[length : end - self.start])
        return 0

    cdef int flush(self) except -1:
        """What text has come is one piece."""
        cdef int length = self.buffered
        if length:
            self.buffered = 0
            self.text(self.buffer, length)
        return 0

    cdef void refuse(self, what) noexcept:
        if self.error is not None:
            return
        try:
            self.flush()
            raise restricted(what)
        except BaseException as error:
            self.fail(error)

    cdef int text(self, const char *octets, int length) except -1:
        cdef list children
        cdef Py_ssize_t at
        if self.current is None:
            for at in range(length):
                if octets[at] not in b" \t\r\n":
                    raise stray_text()
            return 0
        text = PyUnicode_DecodeUTF8(octets, length, NULL)
        children = <list>held(self.current, CHILDREN)
        at = PyList_GET_SIZE(children) - 1
        if at >= 0 and type(children[at]) is str:
            children[at] = <str>children[at] + text
        else:
            children.append(text)
        return 0

    cdef int more_text(self, const char *octets, int length) except -1:
        """Expat gives a piece of text for each line and each reference."""
        if self.buffered + length > TEXT_BUFFER:
            self.flush()
        if length > TEXT_BUFFER:
            self.text(octets, length)
        else:
            memcpy(self.buffer + self.buffered, octets, length)
            self.buffered += length
        return 0


cdef int name_length(const char *tag, int length) noexcept:
    """Octets before white space or the end of a tag; 0 if that doesn't come, or a NUL before."""
    cdef int at
    for at in range(length):
        if tag[at] in b" \t\r\n/>":
            return at
        if tag[at] == 0:
            return 0
    return 0


cdef void on_start(void *reader, const XML_Char *tag, const XML_Char **attributes) noexcept:
    if (<Reader>reader).error is None:
        try:
            (<Reader>reader).start_tag(tag, attributes)
        except BaseException as error:
            (<Reader>reader).fail(error)


cdef void on_end(void *reader, const XML_Char *tag) noexcept:
    if (<Reader>reader).error is None:
        try:
            (<Reader>reader).end_tag()
        except BaseException as error:
            (<Reader>reader).fail(error)


cdef void on_text(void *reader, const XML_Char *octets, int length) noexcept:
    if (<Reader>reader).error is None:
        try:
            (<Reader>reader).more_text(octets, length)
        except BaseException as error:
            (<Reader>reader).fail(error)


cdef void on_prefix(void *reader, const XML_Char *prefix, const XML_Char *uri) noexcept:
    if (<Reader>reader).error is None:
        try:
            (<Reader>reader).prefixes[string(prefix) or ""] = string(uri) or ""
        except BaseException as error:
            (<Reader>reader).fail(error)


cdef void on_declaration(void *reader, const XML_Char *version, const XML_Char *encoding, int standalone) noexcept:
    try:
        check_declaration(string(version), string(encoding))
    except BaseException as error:
        (<Reader>reader).fail(error)


cdef void on_doctype(
    void *reader, const XML_Char *name, const XML_Char *system, const XML_Char *public, int internal
) noexcept:
    (<Reader>reader).refuse(DOCTYPE)


cdef void on_comment(void *reader, const XML_Char *text) noexcept:
    (<Reader>reader).refuse(COMMENT)


cdef void on_instruction(void *reader, const XML_Char *target, const XML_Char *text) noexcept:
    (<Reader>reader).refuse(INSTRUCTION)


cdef object string(const XML_Char *octets):
    return None if octets is NULL else PyUnicode_DecodeUTF8(octets, strlen(octets), NULL)
