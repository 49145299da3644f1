/*
 * shape.h -- the fields of any whole event, by the table of PROTOCOL.md. Pure.
 */
#ifndef SHAPE_H
#define SHAPE_H

#include "event.h"

#include <stdbool.h>
#include <stdint.h>

/* Read the event that begins here, which scan.h has found to be whole. False: a field is wrong or
 * missing. Known are then the type, EVENT_NIL when it is none, and in code HELLO's version,
 * EVENT_NIL when it is none. */
bool shape_read(const uint8_t *, struct event *);

#endif
