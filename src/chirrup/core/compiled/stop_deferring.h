/* An expat parser may put off a token that isn't whole until twice as much of it is there. Ours are given what ends with
   ">", so it needn't. Versions before 2.6 don't know that, unless a distribution taught them. */

#include <expat.h>

#ifdef __ELF__

/* Which expat it will be is known only when it runs. */
extern XML_Bool XML_SetReparseDeferralEnabled(XML_Parser parser, XML_Bool enabled) __attribute__((weak));

static void stop_deferring(XML_Parser parser) {
    if (XML_SetReparseDeferralEnabled) XML_SetReparseDeferralEnabled(parser, XML_FALSE);
}

#else

static void stop_deferring(XML_Parser parser) {
#if XML_MAJOR_VERSION > 2 || XML_MINOR_VERSION >= 6
    XML_SetReparseDeferralEnabled(parser, XML_FALSE);
#endif
}

#endif
