# Tests of what is shipped: the library under unchanged programs, launcher, installation.

file(GLOB semantics_tests CONFIGURE_DEPENDS semantics/*.c semantics/*.cc)
file(GLOB measured_tests CONFIGURE_DEPENDS fastpath/*.c figures/*.c)
list(FILTER measured_tests EXCLUDE REGEX "/leaks_off\\.c$")
foreach(source ${semantics_tests} ${measured_tests})
	stitch_test_name(name ${source})
	string(REGEX MATCH "^[a-z]+" label ${name})
	stitch_outer_program(${name} ${source})
	stitch_test(${name} ${label} 300 env LD_PRELOAD=$<TARGET_FILE:stitchmalloc_shared>
		$<TARGET_FILE:${name}>)
endforeach()

target_link_options(semantics_cxx_runtime_inside PRIVATE -static-libstdc++)
target_link_libraries(semantics_cxx_runtime_inside PRIVATE stitchmalloc_shared)

# It runs itself under either library; only optimised ones are alike.
if(TARGET stitchmalloc_without_leaks)
	stitch_outer_program(fastpath_leaks_off fastpath/leaks_off.c)
	add_dependencies(fastpath_leaks_off stitchmalloc_without_leaks)
	stitch_test(fastpath_leaks_off fastpath 300 fastpath_leaks_off
		$<TARGET_FILE:stitchmalloc_shared> $<TARGET_FILE:stitchmalloc_without_leaks>)
endif()

# libraries/NAME.c is a shared library that the program NAME.c is linked with.
file(GLOB shared_libraries CONFIGURE_DEPENDS semantics/libraries/*.c)
foreach(source ${shared_libraries})
	stitch_test_name(library ${source})
	string(REPLACE "_libraries_" "_" name ${library})
	add_library(${library} SHARED ${source})
	target_include_directories(${library} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
	target_compile_options(${library} PRIVATE -fno-builtin)
	target_link_libraries(${library} PRIVATE stitch_flags Threads::Threads)
	target_link_libraries(${name} PRIVATE ${library})
endforeach()

file(GLOB death_tests CONFIGURE_DEPENDS death/*.c)
foreach(source ${death_tests})
	stitch_test_name(name ${source})
	stitch_outer_program(${name} ${source})
	string(REGEX REPLACE "\\.c$" ".expect" expect ${source})
	stitch_test(${name} death 120 sh ${CMAKE_CURRENT_SOURCE_DIR}/run_death.sh
		$<TARGET_FILE:stitchmalloc_shared> $<TARGET_FILE:${name}> ${expect})
endforeach()

# hostile/NAME.c runs under the preload; NAME.sh and NAME.py get the library and the folder of the
# programs; NAME_work.c is a program for scripts; slow_NAME is not in the quick set.
file(GLOB hostile_tests CONFIGURE_DEPENDS hostile/*.c hostile/*.cc hostile/*.sh hostile/*.py)
foreach(source ${hostile_tests})
	stitch_test_name(name ${source})
	set(labels hostile)
	if(name MATCHES "^hostile_slow_")
		list(APPEND labels slow)
	endif()
	if(source MATCHES "\\.cc?$")
		stitch_outer_program(${name} ${source})
		set(command env LD_PRELOAD=$<TARGET_FILE:stitchmalloc_shared>
			$<TARGET_FILE:${name}>)
	else()
		set(command ${source} $<TARGET_FILE:stitchmalloc_shared>
			${CMAKE_CURRENT_BINARY_DIR})
	endif()
	if(NOT name MATCHES "_work$")
		stitch_test(${name} "${labels}" 1200 ${command})
	endif()
endforeach()
# It switches huge pages for the whole machine: others count faults.
set_tests_properties(hostile_slow_huge_pages PROPERTIES RUN_SERIAL ON)

# hostile/libraries/NAME.c is a shared library that the program NAME.c is linked with; without such
# a program it is one that scripts preload, audit with or open.
file(GLOB hostile_libraries CONFIGURE_DEPENDS hostile/libraries/*.c hostile/libraries/*.cc)
foreach(source ${hostile_libraries})
	stitch_test_name(library ${source})
	string(REPLACE "_libraries_" "_" name ${library})
	if(TARGET ${name})
		add_library(${library} SHARED ${source})
		target_link_libraries(${name} PRIVATE ${library})
	else()
		add_library(${library} MODULE ${source})
	endif()
	target_include_directories(${library} PRIVATE ${PROJECT_SOURCE_DIR}/include
		${CMAKE_CURRENT_SOURCE_DIR})
	target_compile_options(${library} PRIVATE -fno-builtin -Wno-deprecated-declarations)
	target_link_libraries(${library} PRIVATE stitch_flags Threads::Threads ${CMAKE_DL_LIBS})
endforeach()

file(GLOB preload_tests CONFIGURE_DEPENDS preload/*.sh preload/*.py)
list(FILTER preload_tests EXCLUDE REGEX "/lib\\.sh$|_work\\.py$")
foreach(source ${preload_tests})
	stitch_test_name(name ${source})
	set(labels preload)
	if(NOT name MATCHES "^preload_quick_")
		list(APPEND labels slow)
	endif()
	# The sweep runs whatever is installed: where a process is dear that takes long.
	stitch_test(${name} "${labels}" 1200 ${source} $<TARGET_FILE:stitchmalloc_shared>)
endforeach()

# The corpus of leaks; against Valgrind's verdict, too, so that it says what is so.
if(STITCH_LEAKS)
	set(leaks ${CMAKE_CURRENT_SOURCE_DIR}/leaks)
	stitch_test(leaks_corpus "leaks;slow" 600 /usr/bin/python3 ${leaks}/check_corpus.py leaks
		--library $<TARGET_FILE:stitchmalloc_shared> --launcher $<TARGET_FILE:launcher>)
	stitch_test(leaks_corpus_valgrind "leaks;slow" 900 /usr/bin/python3 ${leaks}/check_corpus.py
		valgrind)
	stitch_test(leaks_checker leaks 60 /usr/bin/python3 ${leaks}/test_check_corpus.py)
	stitch_test(leaks_report leaks 300 /usr/bin/python3 ${leaks}/test_report.py
		$<TARGET_FILE:stitchmalloc_shared> $<TARGET_FILE:launcher>)
	stitch_test(leaks_roots leaks 300 /usr/bin/python3 ${leaks}/test_roots.py
		$<TARGET_FILE:stitchmalloc_shared> $<TARGET_FILE:launcher>)
	stitch_test(leaks_sample leaks 300 /usr/bin/python3 ${leaks}/test_sample.py
		$<TARGET_FILE:stitchmalloc_shared>)
	stitch_test(leaks_formats leaks 300 /usr/bin/python3 ${leaks}/test_formats.py
		$<TARGET_FILE:stitchmalloc_shared> $<TARGET_FILE:launcher>)
	stitch_test(leaks_profile leaks 300 /usr/bin/python3 ${leaks}/test_profile.py
		$<TARGET_FILE:stitchmalloc_shared> $<TARGET_FILE:launcher>)
	stitch_test(leaks_demand leaks 300 /usr/bin/python3 ${leaks}/test_demand.py
		$<TARGET_FILE:stitchmalloc_shared> $<TARGET_FILE:launcher>)
	stitch_test(leaks_programs "leaks;slow" 900 /usr/bin/python3 ${leaks}/programs.py
		$<TARGET_FILE:stitchmalloc_shared>)
	if(symbolise_archives)
		stitch_test(leaks_symbolise "leaks;slow" 300 /usr/bin/python3
			${leaks}/symbolise/test_symbolise.py ${PROJECT_SOURCE_DIR}
			$<TARGET_FILE:core_prefixed> ${symbolise_archives})
	endif()
endif()

if(STITCH_BENCH)
	stitch_test(bench_run "bench;slow" 900 /usr/bin/python3
		${CMAKE_CURRENT_SOURCE_DIR}/bench/test_run.py ${PROJECT_BINARY_DIR})
	set_tests_properties(bench_run PROPERTIES SKIP_RETURN_CODE 77)
endif()

stitch_test(style_exports style 60 /usr/bin/python3 ${tools}/check_exports.py
	$<TARGET_FILE:stitchmalloc_shared> ${PROJECT_SOURCE_DIR}/preload/exports.map)
file(GLOB script_tests CONFIGURE_DEPENDS launcher/test_*.sh install/test_*.sh)
foreach(source ${script_tests})
	stitch_test_name(name ${source})
	string(REGEX MATCH "^[a-z]+" label ${name})
	stitch_test(${name} ${label} 600 sh ${source} ${PROJECT_BINARY_DIR})
endforeach()

# The examples of include/stitch/README.md: linked with the library, not run under the preload.
file(GLOB examples CONFIGURE_DEPENDS examples/*.c)
find_library(URING_LIBRARY uring) # Debian: liburing-dev
if(NOT URING_LIBRARY)
	list(FILTER examples EXCLUDE REGEX fixed_buffers)
endif()
foreach(source ${examples})
	stitch_test_name(name ${source})
	add_executable(${name} ${source})
	target_link_libraries(${name} PRIVATE stitchmalloc_shared stitch_flags Threads::Threads)
	stitch_test(${name} semantics 60 ${name})
endforeach()
if(URING_LIBRARY)
	target_link_libraries(examples_fixed_buffers PRIVATE ${URING_LIBRARY})
	set_tests_properties(examples_fixed_buffers PROPERTIES
		PASS_REGULAR_EXPRESSION "the same by both|no io_uring here")
endif()
set_tests_properties(examples_frame_buffers PROPERTIES
	PASS_REGULAR_EXPRESSION "a frame of 1024 pages, [1-9][0-9]* tiles moved, all whole: yes")
set_tests_properties(examples_tenants PROPERTIES PASS_REGULAR_EXPRESSION
	"modest: 1.* 1000 records, 0 refused.*greedy: 8.* 8... records, 9.... refused.*it is free")
set_tests_properties(examples_run_queue PROPERTIES
	PASS_REGULAR_EXPRESSION "^compile shell link compile backup idle\n$")
set_tests_properties(examples_word_count PROPERTIES
	PASS_REGULAR_EXPRESSION "^4 the\n2 is\n2 unit\n2 of\n1 slab\n")
stitch_test(style_tree_headers style 120
	${CMAKE_CURRENT_SOURCE_DIR}/style/test_tree_headers.sh ${PROJECT_SOURCE_DIR}/include)
stitch_test(style_headers style 120 ${CMAKE_CURRENT_SOURCE_DIR}/style/test_headers.sh
	${PROJECT_SOURCE_DIR}/include)
stitch_test(style_kernel_names style 60 ${CMAKE_CURRENT_SOURCE_DIR}/style/test_kernel_names.sh
	${PROJECT_SOURCE_DIR}/include)
# The articles' modules of 2004 (bench/articles/).
stitch_test(examples_kmalloc_module semantics 60 kmalloc_module)
set_tests_properties(examples_kmalloc_module PROPERTIES
	PASS_REGULAR_EXPRESSION " 500000 +12[0-9]+ +50[0-9]+ +[0-9]+\nkmalloc-test: unloaded")
stitch_test(examples_cache_module semantics 60 cache_module)
set_tests_properties(examples_cache_module PROPERTIES
	PASS_REGULAR_EXPRESSION "test-308 +[0-9]+ +1001 +312 +13 +1 : tun.*were constructed")
set_tests_properties(examples_managed_device PROPERTIES
	PASS_REGULAR_EXPRESSION "action  stop_thread.*action  close_reader.*kmalloc .*13 bytes")
set_tests_properties(examples_destroy_finds_leaks PROPERTIES
	PASS_REGULAR_EXPRESSION "1 object of cache session")

# They ask for leak reports by the way.
if(NOT STITCH_LEAKS)
	set_tests_properties(unit_kmalloc_test_cache_alias death_cache_destroy_full death_cache_leak
		death_cache_leak_full hostile_first_and_last launcher_test_symbolize
		PROPERTIES DISABLED ON)
endif()
