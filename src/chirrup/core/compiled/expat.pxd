cdef extern from "expat.h":
    ctypedef struct XML_ParserStruct
    ctypedef XML_ParserStruct *XML_Parser
    ctypedef char XML_Char
    ctypedef long XML_Index
    ctypedef unsigned char XML_Bool
    ctypedef struct XML_Memory_Handling_Suite:
        void *(*malloc_fcn)(size_t size) noexcept
        void *(*realloc_fcn)(void *ptr, size_t size) noexcept
        void (*free_fcn)(void *ptr) noexcept
    int XML_STATUS_ERROR
    XML_Parser XML_ParserCreate_MM(
        const XML_Char *encoding, const XML_Memory_Handling_Suite *suite, const XML_Char *separator)
    void XML_ParserFree(XML_Parser parser)
    int XML_Parse(XML_Parser parser, const char *data, int length, int final)
    int XML_StopParser(XML_Parser parser, XML_Bool resumable)
    int XML_GetErrorCode(XML_Parser parser)
    XML_Index XML_GetCurrentByteIndex(XML_Parser parser)
    int XML_GetCurrentByteCount(XML_Parser parser)
    const char *XML_GetInputContext(XML_Parser parser, int *offset, int *size)
    void XML_SetUserData(XML_Parser parser, void *data)
    void XML_SetElementHandler(
        XML_Parser parser,
        void (*start)(void *, const XML_Char *, const XML_Char **) noexcept,
        void (*end)(void *, const XML_Char *) noexcept)
    void XML_SetCharacterDataHandler(XML_Parser parser, void (*text)(void *, const XML_Char *, int) noexcept)
    void XML_SetStartNamespaceDeclHandler(
        XML_Parser parser, void (*declare)(void *, const XML_Char *, const XML_Char *) noexcept)
    void XML_SetXmlDeclHandler(
        XML_Parser parser, void (*declaration)(void *, const XML_Char *, const XML_Char *, int) noexcept)
    void XML_SetStartDoctypeDeclHandler(
        XML_Parser parser,
        void (*doctype)(void *, const XML_Char *, const XML_Char *, const XML_Char *, int) noexcept)
    void XML_SetCommentHandler(XML_Parser parser, void (*comment)(void *, const XML_Char *) noexcept)
    void XML_SetProcessingInstructionHandler(
        XML_Parser parser, void (*instruction)(void *, const XML_Char *, const XML_Char *) noexcept)

cdef extern from "stop_deferring.h":
    void stop_deferring(XML_Parser parser)
