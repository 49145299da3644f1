/*
 * option.h -- one table row per option: flag, environment variable, type, bounds, default, help.
 *
 * From the table come parsing, --help, --version, --check's effective configuration (which parses
 * back) and the errors: one line that names the option, the value and what is allowed. A flag
 * beats the environment, which beats the default; an empty environment variable is unset. Values
 * land in the caller's struct at row.offset.
 *
 *	type		C type at offset	as text
 *	BOOL		bool			--flag, --no-flag, --flag=true, --flag=false
 *	STRING		const char *		anything; NULL when there is no default
 *	LIST		struct option_list	the flag may be repeated; environment: one value
 *	INT		int64_t			decimal, min..max
 *	MODE		int64_t			octal, min..max
 *	BYTES		int64_t			512, 64KiB, 64MiB, 1GiB; min..max in bytes
 *	DURATION	int64_t (ns)		500ms, 5s, 10m, 1h, 0; also us, ns; min..max in ns
 *	RATIO		double			0 to 1
 *	CHOICE		int64_t			index into row.choices ("grpc|http/protobuf")
 *	ADDRESS		const char *		host:port, [v6]:port or :port; port 0 to 65535
 *
 * A bare integer for a DURATION is milliseconds in the environment (the OTEL_* rule) and wrong in
 * a flag, but for 0. Words and units are taken in any case. A scalar flag given twice: the last
 * one counts; flags of a LIST replace its variable. A value that starts with "--" must stand after
 * "=". The variable is not looked at when the flag is given.
 *
 * Standard flags that every program has, not in the table: --help, --version, --check. An
 * environment value that is wrong is an error like a wrong flag, but for names that start with
 * OTEL_: those warn on stderr and count as unset (the rule of the OpenTelemetry specification).
 */
#ifndef OPTION_H
#define OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
	OPTION_BOOL,
	OPTION_STRING,
	OPTION_LIST,
	OPTION_INT,
	OPTION_MODE,
	OPTION_BYTES,
	OPTION_DURATION,
	OPTION_RATIO,
	OPTION_CHOICE,
	OPTION_ADDRESS
};

struct option_list {
	const char **items; /* borrowed from argv or the environment */
	size_t n;
};

struct option {
	const char
	    *flag; /* without "--"; NULL: no option but a heading of --help, its text in help */
	const char *env; /* NULL: none */
	enum option_type type;
	size_t offset;        /* in the configuration struct */
	const char *fallback; /* the default as its user would type it; NULL: none */
	int64_t min, max; /* of INT, MODE, BYTES, DURATION; max 0 with min >= 0: no upper bound */
	const char *choices; /* of CHOICE, separated by '|' */
	const char *arg;     /* what --help shows for the value: "host:port"; NULL: by type */
	const char *help;    /* one sentence, no full stop */
	bool required;       /* missing or "": an error that names flag and variable */
	bool secret; /* --check prints it as "***"; of a LIST of "key=value" only what the keys
			call a password, a secret or a PEM, as "key=***" */
};

struct option_program {
	const char *name; /* "sidecard" */
	const char *version;
	const char *summary;  /* one line for --help */
	const char *operands; /* "X Y": what the program takes off the end first; NULL: nothing */
	const struct option *rows;
	size_t n;
};

enum option_outcome {
	OPTION_RUN,   /* config is filled: go on */
	OPTION_CHECK, /* the same, with --check: validate further, option_print(), exit 0 */
	OPTION_DONE,  /* --help or --version was printed: exit 0 */
	OPTION_WRONG  /* the error was printed: exit 2 */
};

/* Fill *config from defaults, environment and argv. Strings borrow from argv, the environment or
 * the table; lists are allocated once and live as long as the process. Positional arguments are
 * wrong. */
enum option_outcome
option_parse(const struct option_program *, int argc, char **argv, void *config);

/* The effective configuration on stdout, one "--flag=value" a line, quoted for a shell: it parses
 * back, but for secrets. Left out: what was given nowhere and has no default. */
void option_print(const struct option_program *, const void *config);

/* For checks that a row cannot say ("a needs b"): print "<program>: --flag: <why>" to stderr. */
void option_complain(const struct option_program *, const char *flag, const char *why);

#endif
