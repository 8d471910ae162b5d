/* Where libleakspy.so is. */
#ifndef LEAKSPY_ANALYZER_PRELOAD_LIBRARY_H
#define LEAKSPY_ANALYZER_PRELOAD_LIBRARY_H

/* The absolute path of the library: LEAKSPY_LIBRARY of the environment, or beside this program (in
 * a build tree or installed), or where it was to be installed. To be freed; NULL: it is in none of
 * them. */
char *preload_library_find(void);

/* The value of LD_PRELOAD with `library` before what is there. To be freed; NULL: no memory, or the
 * library's path has a character that LD_PRELOAD cannot hold. */
char *preload_library_value(const char *library, const char *already);

#endif
