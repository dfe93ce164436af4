/* Elements are objects of a Python class with slots. Here those are reached without Python: where they are in memory, the
   class's own descriptors say. */

#include <Python.h>
#include <structmember.h>

static PyObject *Element = NULL, *Received = NULL;
static Py_ssize_t NAME, NS, ATTRS, CHILDREN, CAME, INSIDE;

static Py_ssize_t offset_of(PyObject *type, const char *name) {
    Py_ssize_t offset = -1;
    PyObject *descriptor = PyObject_GetAttrString(type, name);
    if (descriptor == NULL) return -1;
    if (Py_TYPE(descriptor) == &PyMemberDescr_Type && PyType_Check(type))
        offset = ((PyMemberDescrObject *)descriptor)->d_member->offset;
    else
        PyErr_Format(PyExc_TypeError, "%s is no slot", name);
    Py_DECREF(descriptor);
    return offset;
}

/* Must be called before anything else here, with the two classes. */
static int prepare_elements(PyObject *element, PyObject *received) {
    static const char *const names[] = {"name", "ns", "attrs", "children", "came", "inside"};
    Py_ssize_t offsets[6];
    for (int at = 0; at < 6; at++)
        if ((offsets[at] = offset_of(at < 4 ? element : received, names[at])) < 0) return -1;
    if (!PyType_IsSubtype((PyTypeObject *)received, (PyTypeObject *)element)) {
        PyErr_SetString(PyExc_TypeError, "what is received is an element");
        return -1;
    }
    NAME = offsets[0], NS = offsets[1], ATTRS = offsets[2], CHILDREN = offsets[3];
    CAME = offsets[4], INSIDE = offsets[5];
    Py_INCREF(element);
    Py_XSETREF(Element, element);
    Py_INCREF(received);
    Py_XSETREF(Received, received);
    return 0;
}

static inline int is_element(PyObject *object) {
    return Element != NULL && PyObject_TypeCheck(object, (PyTypeObject *)Element);
}

static inline int is_received(PyObject *object) {
    return Received != NULL && PyObject_TypeCheck(object, (PyTypeObject *)Received);
}

/* What a slot holds, borrowed; NULL if nothing was put there. */
static inline PyObject *held(PyObject *element, Py_ssize_t slot) {
    return *(PyObject **)((char *)element + slot);
}

static inline void hold(PyObject *element, Py_ssize_t slot, PyObject *value) {
    PyObject **place = (PyObject **)((char *)element + slot), *old = *place;
    Py_INCREF(value);
    *place = value;
    Py_XDECREF(old);
}

static inline PyObject *make(PyObject *type, PyObject *name, PyObject *ns, PyObject *attrs, PyObject *children) {
    PyObject *element = PyType_GenericAlloc((PyTypeObject *)type, 0);
    if (element != NULL) {
        hold(element, NAME, name);
        hold(element, NS, ns);
        hold(element, ATTRS, attrs);
        hold(element, CHILDREN, children);
    }
    return element;
}

static inline PyObject *make_element(PyObject *name, PyObject *ns, PyObject *attrs, PyObject *children) {
    return make(Element, name, ns, attrs, children);
}

/* What `element` is, with its octets. */
static inline PyObject *make_received(PyObject *element, PyObject *came, PyObject *inside) {
    PyObject *received =
        make(Received, held(element, NAME), held(element, NS), held(element, ATTRS), held(element, CHILDREN));
    if (received != NULL) {
        hold(received, CAME, came);
        hold(received, INSIDE, inside);
    }
    return received;
}
