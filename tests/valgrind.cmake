# What runs under memcheck: the build with STITCH_VALGRIND has these tests and those of the core.

# Programs with faults, on the library that tells memcheck of its objects.
file(GLOB valgrind_tests CONFIGURE_DEPENDS valgrind/*.c valgrind/*.cc)
foreach(source ${valgrind_tests})
	stitch_test_name(name ${source})
	stitch_outer_program(${name} ${source})
	target_compile_options(${name} PRIVATE -O0)
	string(REGEX REPLACE "\\.cc?$" ".expect" expect ${source})
	stitch_test(${name} valgrind 120 sh ${CMAKE_CURRENT_SOURCE_DIR}/run_valgrind.sh
		$<TARGET_FILE:stitchmalloc_shared> $<TARGET_FILE:${name}> ${expect})
endforeach()

# The tests of the core once more. Not those that die on purpose or fork by the thousand, and not
# those that ask the kernel for what Valgrind gives otherwise: places in the address space. (A
# barn's arrays are cleared in this build: core/memcheck.h.)
list(APPEND unit_tests ${model_tests})
list(FILTER unit_tests EXCLUDE REGEX
	"/unit/(os|preload)/|test_(fork|mm_init|section|section_limited|barn)\\.c$|model_failures")
list(FILTER unit_tests EXCLUDE REGEX # these step through code, or look at stacks
	"test_(gate_fork_steps|emergency_fork|deferred_steps|cache_steps|unwind|fault_stacks)\\.c$")
list(FILTER unit_tests EXCLUDE REGEX "test_cache_alias\\.c$") # none in this build
foreach(source ${unit_tests})
	stitch_test_name(name ${source})
	set(labels valgrind)
	if(source MATCHES "test_(format|kmalloc|realloc|sheaf|slot|range)\\.c$")
		list(APPEND labels slow)
	endif()
	stitch_test(valgrind_${name} "${labels}" 600 valgrind -q --error-exitcode=99
		$<TARGET_FILE:${name}>)
endforeach()
