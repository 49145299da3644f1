/*
 * usage.h -- what a program says about its options: --help, and the flag that a mistyped one may
 * have meant.
 */
#ifndef USAGE_H
#define USAGE_H

#include "option.h"

/* --help on stdout, in at most 80 columns unless a word is longer. */
void usage_print(const struct option_program *);

/* The flag nearest to what was typed (without "--"), "no-..." included for BOOL; NULL: none is
 * near. A static buffer. */
const char *usage_nearest(const struct option_program *, const char *typed);

#endif
