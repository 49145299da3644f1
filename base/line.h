/*
 * line.h -- what a log line says, as key=value text and as JSON. Pure.
 *
 *	text	partition=3 reason="not \"found\"" took=0.5s
 *	JSON	{"partition":3,"reason":"not \"found\"","took":"0.5s"}
 *
 * The call sites write text; the JSON is made from it, so that both say the same. A bare value that
 * reads as a number is one in JSON, a quoted one is always a string: the kind of a member depends
 * on who writes it, never on what a peer put into it.
 */
#ifndef LINE_H
#define LINE_H

#include "buf.h"

/* Bytes as a value of text: as they are when that is unambiguous and no number, else in double
 * quotes, with \" \\ \n \t and \xNN for other control characters and what is not UTF-8. cut: some
 * are left out, "..." stands for them. */
void line_quote(struct buf *, const void *bytes, size_t n, bool cut);

enum { LINE_LEAST = 16 };

/* A JSON object that always closes: what no longer fits is cut at a character, whatever follows is
 * left out, and "cut":true tells so. */
struct line {
	struct buf out;
	bool cut;
};

/* mem: borrowed; cap: LINE_LEAST at least. */
void line_begin(struct line *, void *mem, size_t cap);
/* Bytes that are not UTF-8 become U+FFFD. key: letters, digits, '_', '.' and '-'. */
void line_string(struct line *, const char *key, const void *bytes, size_t n);
/* Text of pairs, as printf made it from a call site's format and line_quote()'s values; written
 * over. A bare value reaches to the next key: words without one belong to the value before them,
 * else to "rest". cut: the text had more. */
void line_pairs(struct line *, char *text, size_t n, bool cut);
/* Close it; its length. */
size_t line_end(struct line *);

#endif
