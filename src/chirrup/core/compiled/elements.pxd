from cpython.object cimport PyObject

cdef extern from "elements.h":
    Py_ssize_t NAME, NS, ATTRS, CHILDREN, CAME, INSIDE
    int prepare_elements(object element, object received) except -1
    bint is_element(object thing)
    bint is_received(object thing)
    PyObject *held(object element, Py_ssize_t slot)
    object make_element(object name, object ns, object attrs, object children)
    object make_received(object element, object came, object inside)
