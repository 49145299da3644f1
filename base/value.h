/*
 * value.h -- one option's value: text to its C type and back. For option.c, which says when.
 */
#ifndef VALUE_H
#define VALUE_H

#include "option.h"

/* Longer than any text below: "a duration such as 500ms, 5s or 10m, from ... to ..." and
 * choices. */
enum { VALUE_TEXT = 512 };

/* Text into the field (the type of row; never LIST, whose items are text as they are). variable:
 * by the rules of the environment. False: the text is wrong and the field untouched. Strings are
 * borrowed. */
bool value_parse(const struct option *row, const char *text, bool variable, void *field);

/* The field as text that value_parse() reads back as the same value; never STRING, ADDRESS or
 * LIST. */
void value_print(const struct option *row, const void *field, char out[VALUE_TEXT]);

/* Would value_parse() take the field's text? Not when nothing was given and 0 is not allowed. */
bool value_allowed(const struct option *row, const void *field);

/* What is allowed, as it stands after "expected": "one of grpc, http/protobuf". */
void value_expected(const struct option *row, char out[VALUE_TEXT]);

#endif
