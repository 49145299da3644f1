#include "sidecar/resource.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct resources resources;
static struct service one = { .number = 1 }, two = { .number = 2 };

static int
setup(void **state)
{
	(void)state;
	resources_init(&resources, calloc(1, resources_bytes()), 7);
	stats = (struct stats){ 0 };
	return resources.pool.base != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	free(resources.pool.base);
	return 0;
}

static void
test_equal_ones_are_shared(void **state)
{
	struct resource *a = resource_get(&resources, &one, "abc", 3);
	struct resource *b = resource_get(&resources, &one, "abc", 3);

	(void)state;
	assert_ptr_equal(a, b);
	assert_int_equal(a->refs, 2);
	assert_int_equal(stats.resources, 1);
	assert_ptr_not_equal(resource_get(&resources, &one, "abd", 3), a);
	assert_ptr_not_equal(resource_get(&resources, &one, "ab", 2), a);
	assert_ptr_not_equal(resource_get(&resources, &two, "abc", 3), a);
	assert_int_equal(stats.resources, 4);
}

static void
test_unused_ones_are_forgotten(void **state)
{
	struct resource *a = resource_get(&resources, &one, "abc", 3);
	uint32_t number = a->number;

	(void)state;
	resource_hold(a);
	resource_drop(&resources, a);
	assert_int_equal(stats.resources, 1);
	resource_drop(&resources, a);
	assert_int_equal(stats.resources, 0);
	resource_drop(&resources, NULL);
	assert_int_equal(resource_get(&resources, &one, "xyz", 3)->number, number);
}

static void
test_as_many_as_the_limit_and_no_more(void **state)
{
	struct resource *all[LIMIT_RESOURCES];

	(void)state;
	for (uint32_t i = 0; i < LIMIT_RESOURCES; i++) {
		all[i] = resource_get(&resources, &one, &i, sizeof(i));
		assert_non_null(all[i]);
		assert_in_range(all[i]->number, 1, LIMIT_RESOURCES);
	}
	assert_null(resource_get(&resources, &one, "one more", 8));
	assert_int_equal(stats.resources, LIMIT_RESOURCES);
	for (uint32_t i = 0; i < LIMIT_RESOURCES; i += 2)
		resource_drop(&resources, all[i]);
	for (uint32_t i = 1; i < LIMIT_RESOURCES; i += 2)
		assert_ptr_equal(resource_get(&resources, &one, &i, sizeof(i)), all[i]);
	for (uint32_t i = 0; i < LIMIT_RESOURCES; i += 2)
		assert_non_null(resource_get(&resources, &one, &i, sizeof(i)));
	assert_int_equal(resources.pool.used, LIMIT_RESOURCES);
}

static void
test_as_long_as_the_limit_and_no_longer(void **state)
{
	char *bytes = calloc(1, RESOURCE_MOST + 1);

	(void)state;
	assert_non_null(resource_get(&resources, &one, bytes, RESOURCE_MOST));
	assert_null(resource_get(&resources, &one, bytes, RESOURCE_MOST + 1));
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_equal_ones_are_shared, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unused_ones_are_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_as_many_as_the_limit_and_no_more, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_as_long_as_the_limit_and_no_longer, setup, teardown),
	};

	return cmocka_run_group_tests_name("resource", tests, NULL, NULL);
}
