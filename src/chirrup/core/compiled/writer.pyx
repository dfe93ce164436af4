# cython: language_level=3, boundscheck=False, wraparound=False
"""The compiled form of `chirrup.core.writing`: text goes straight into one buffer of UTF-8.

What is rare, and what can't be written, is left to the form in Python, which knows why.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Next
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.object cimport PyObject
from cpython.unicode cimport PyUnicode_AsUTF8String
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, strlen

from chirrup.core.compiled.elements cimport (
    ATTRS, CAME, CHILDREN, INSIDE, NAME, NS, held, is_element, is_received, prepare_elements
)

from chirrup.core import writing
from chirrup.core.writing import CLIENT, STREAMS, XML, XML_LANG

cdef extern from *:
    """
    static int go_deeper(void) {
        return Py_EnterRecursiveCall(" while writing XML") ? -1 : 0;
    }
    """
    int go_deeper() except -1

cdef extern from "Python.h":
    void Py_LeaveRecursiveCall()
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    char *PyUnicode_DATA(object text)


def prepare(element, received):
    """Must be called before anything is written, with the classes of elements."""
    prepare_elements(element, received)


cdef enum:
    ROOM = 2_048  # octets that are written without asking for memory
    FORBIDDEN = 1
    DOUBTFUL = 2  # the first octet of U+FFFE and U+FFFF, among others

cdef struct Out:
    char *octets
    Py_ssize_t length
    Py_ssize_t room
    char own[ROOM]

cdef const char **ESCAPED = [NULL, NULL, NULL, b"&amp;", b"&lt;", b"&gt;", b"&apos;", b"&#x9;", b"&#xA;", b"&#xD;"]
cdef unsigned char[256] IN_TEXT, IN_VALUE
"""What is to be done about an octet: nothing, one of the constants above, or the place in `ESCAPED` of what to write."""


cdef void fill_tables() noexcept:
    cdef int octet
    for octet in range(256):
        IN_TEXT[octet] = IN_VALUE[octet] = FORBIDDEN if octet < 0x20 else DOUBTFUL if octet == 0xEF else 0
    IN_TEXT[c"\t"] = IN_TEXT[c"\n"] = 0
    IN_TEXT[c"&"], IN_TEXT[c"<"], IN_TEXT[c">"], IN_TEXT[c"\r"] = 3, 4, 5, 9
    IN_VALUE[c"&"], IN_VALUE[c"<"], IN_VALUE[c"'"] = 3, 4, 6
    IN_VALUE[c"\t"], IN_VALUE[c"\n"], IN_VALUE[c"\r"] = 7, 8, 9


fill_tables()


def write(element, ns):
    """See `chirrup.core.writing.write`."""
    cdef Out out
    if not is_element(element) or type(ns) is not str:
        raise TypeError("write() takes an Element and a str")
    begin(&out)
    try:
        if put_element(&out, element, ns, True):
            return writing.write(element, ns)
        return PyBytes_FromStringAndSize(out.octets, out.length)
    finally:
        end(&out)


def write_again(stanza):
    """See `chirrup.core.writing.write_again`."""
    cdef Out out
    if not is_received(stanza):
        raise TypeError("write_again() takes what was received")
    begin(&out)
    try:
        if put_again(&out, stanza):
            return writing.write_again(stanza)
        return PyBytes_FromStringAndSize(out.octets, out.length)
    finally:
        end(&out)


# The functions that follow return 1 for what Python is to write, or to say why it can't be written.

cdef int put_again(Out *out, stanza) except -1:
    cdef PyObject *name = held(stanza, NAME)
    cdef PyObject *ns = held(stanza, NS)
    cdef PyObject *attrs = held(stanza, ATTRS)
    cdef PyObject *children = held(stanza, CHILDREN)
    cdef PyObject *came = held(stanza, CAME)
    cdef PyObject *inside = held(stanza, INSIDE)
    cdef Py_ssize_t at, count
    if name is NULL or ns is NULL or attrs is NULL or children is NULL or came is NULL or inside is NULL:
        return 1
    if type(<object>children) is not list or type(<object>came) is not list or type(<object>inside) is not bytes:
        return 1
    count = PyList_GET_SIZE(<object>came)
    if PyList_GET_SIZE(<object>children) < count or <object>ns != CLIENT:
        return 1
    for at in range(count):
        if PyList_GET_ITEM(<object>children, at) != PyList_GET_ITEM(<object>came, at):
            return 1
    put(out, b"<", 1)
    if put_string(out, <object>name) or put_attributes(out, <object>attrs):
        return 1
    put(out, b">", 1)
    put(out, PyBytes_AS_STRING(<object>inside), PyBytes_GET_SIZE(<object>inside))
    if put_children(out, <list>children, count, CLIENT):
        return 1
    put(out, b"</", 2)
    put_string(out, <object>name)
    put(out, b">", 1)
    return 0


cdef int put_element(Out *out, element, ns, bint first) except -1:
    """`first` says whether it is the outermost."""
    cdef PyObject *name = held(element, NAME)
    cdef PyObject *own = held(element, NS)
    cdef PyObject *attrs = held(element, ATTRS)
    cdef PyObject *children = held(element, CHILDREN)
    cdef const char *prefix = b""
    if name is NULL or own is NULL or attrs is NULL or children is NULL:
        return 1
    if type(<object>own) is not str or type(<object>children) is not list:
        return 1
    put(out, b"<", 1)
    inner = <object>own
    declare = False
    if inner is not ns and inner != ns:
        if inner == XML:
            prefix, inner = b"xml:", ns
        elif first and inner == STREAMS and ns == CLIENT:
            prefix, inner = b"stream:", ns
        else:
            declare = True
    put(out, prefix, strlen(prefix))
    if put_string(out, <object>name):
        return 1
    if declare:
        put(out, b" xmlns='", 8)
        if put_escaped(out, inner, IN_VALUE):
            return 1
        put(out, b"'", 1)
    if put_attributes(out, <object>attrs):
        return 1
    if not PyList_GET_SIZE(<object>children):
        put(out, b"/>", 2)
        return 0
    put(out, b">", 1)
    go_deeper()
    try:
        if put_children(out, <list>children, 0, inner):
            return 1
    finally:
        Py_LeaveRecursiveCall()
    put(out, b"</", 2)
    put(out, prefix, strlen(prefix))
    put_string(out, <object>name)
    put(out, b">", 1)
    return 0


cdef int put_children(Out *out, list children, Py_ssize_t at, ns) except -1:
    """Those from `at` on."""
    while at < PyList_GET_SIZE(children):
        child = <object>PyList_GET_ITEM(children, at)
        if type(child) is str:
            if put_escaped(out, child, IN_TEXT):
                return 1
        elif not is_element(child) or put_element(out, child, ns, False):
            return 1
        at += 1
    return 0


cdef int put_attributes(Out *out, attrs) except -1:
    cdef PyObject *key
    cdef PyObject *value
    cdef Py_ssize_t place = 0
    if type(attrs) is not dict:
        return 1
    while PyDict_Next(attrs, &place, &key, &value):
        if type(<object>key) is not str:
            return 1
        put(out, b" ", 1)
        if "}" not in <str>key:
            if put_string(out, <object>key):
                return 1
        elif <str>key == <str>XML_LANG:
            put(out, b"xml:lang", 8)
        else:
            return 1
        put(out, b"='", 2)
        if put_escaped(out, <object>value, IN_VALUE):
            return 1
        put(out, b"'", 1)
    return 0


cdef int put_string(Out *out, text) except -1:
    """Text as it stands."""
    if type(text) is not str:
        return 1
    if PyUnicode_IS_COMPACT_ASCII(text):
        put(out, PyUnicode_DATA(text), PyUnicode_GET_LENGTH(text))
        return 0
    try:
        octets = PyUnicode_AsUTF8String(text)
    except UnicodeEncodeError:
        return 1
    put(out, PyBytes_AS_STRING(octets), PyBytes_GET_SIZE(octets))
    return 0


cdef int put_escaped(Out *out, text, const unsigned char *table) except -1:
    if type(text) is not str:
        return 1
    if PyUnicode_IS_COMPACT_ASCII(text):
        return put_octets(out, PyUnicode_DATA(text), PyUnicode_GET_LENGTH(text), table)
    try:
        octets = PyUnicode_AsUTF8String(text)
    except UnicodeEncodeError:
        return 1
    return put_octets(out, PyBytes_AS_STRING(octets), PyBytes_GET_SIZE(octets), table)


cdef int put_octets(Out *out, const char *octets, Py_ssize_t length, const unsigned char *table) except -1:
    cdef Py_ssize_t at, done = 0
    cdef unsigned char what
    for at in range(length):
        what = table[<unsigned char>octets[at]]
        if not what:
            continue
        if what == FORBIDDEN:
            return 1
        if what == DOUBTFUL:
            if <unsigned char>octets[at + 1] == 0xBF and <unsigned char>octets[at + 2] >= 0xBE:
                return 1
            continue
        put(out, octets + done, at - done)
        put(out, ESCAPED[what], strlen(ESCAPED[what]))
        done = at + 1
    put(out, octets + done, length - done)
    return 0


cdef void begin(Out *out) noexcept:
    out.octets, out.length, out.room = out.own, 0, ROOM


cdef void end(Out *out) noexcept:
    if out.octets != out.own:
        free(out.octets)


cdef int put(Out *out, const char *octets, Py_ssize_t length) except -1:
    if length > out.room - out.length:
        grow(out, length)
    memcpy(out.octets + out.length, octets, length)
    out.length += length
    return 0


cdef int grow(Out *out, Py_ssize_t length) except -1:
    cdef Py_ssize_t room = 2 * (out.length + length)
    cdef char *octets = <char *>realloc(NULL if out.octets == out.own else out.octets, room)
    if octets is NULL:
        raise MemoryError
    if out.octets == out.own:
        memcpy(octets, out.own, out.length)
    out.octets, out.room = octets, room
    return 0
