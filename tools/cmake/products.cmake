# What is shipped: libstitchmalloc.so, libstitchmalloc.a, the launcher and its recorder of traces.
stitch_objects(stitch_entry ${entry_sources})
set(product_objects $<TARGET_OBJECTS:stitch_entry> $<TARGET_OBJECTS:stitch_os>
	$<TARGET_OBJECTS:stitch_core>)

set(exports_map ${PROJECT_SOURCE_DIR}/preload/exports.map)
include(tools/cmake/first.cmake)
# initfirst: our constructor runs before those of other libraries, so that our fork handlers lock
# last and unlock first: theirs may wait for threads that allocate.
# noseparate-code: headers, code and constants are one mapping: a small process has two fewer.
# -nodefaultlibs: whatever the compiler would like to pull in besides libc is a link error.
function(stitch_shared name)
	add_library(${name} SHARED ${ARGN})
	set_target_properties(${name} PROPERTIES LINKER_LANGUAGE C
		LINK_DEPENDS "${exports_map};${first_script}")
	target_link_options(${name} PRIVATE -Wl,--version-script=${exports_map} -Wl,-z,nodelete
		-Wl,-z,initfirst -Wl,-z,now -Wl,-z,noseparate-code -Wl,-z,relro -Wl,-z,defs
		-Wl,--gc-sections -nodefaultlibs
		$<$<BOOL:${linker_orders_sections}>:-Wl,-T,${first_script}>)
	# libgcc_eh: the unwinder, as a part of the library (src/debug/unwind.h).
	target_link_libraries(${name} PRIVATE stitch_symbolise -lgcc_eh -lgcc -lc)
endfunction()
# (The target is not called stitchmalloc: that is the launcher's file in Ninja's eyes.)
stitch_shared(stitchmalloc_shared ${product_objects})
set_target_properties(stitchmalloc_shared PROPERTIES OUTPUT_NAME stitchmalloc
	EXPORT_NAME stitchmalloc VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})

# The same with STITCH_LEAKS=OFF, for tests/fastpath/leaks_off.c.
function(stitch_shared_without_leaks name)
	set(STITCH_LEAKS OFF)
	stitch_objects(${name}_objects EXCLUDE_FROM_ALL
		${entry_sources} ${os_sources} ${core_sources})
	stitch_shared(${name} EXCLUDE_FROM_ALL $<TARGET_OBJECTS:${name}_objects>)
endfunction()
if(STITCH_TESTS AND STITCH_LEAKS AND NOT STITCH_DEBUG AND NOT STITCH_VALGRIND)
	stitch_shared_without_leaks(stitchmalloc_without_leaks)
endif()

# One object with its internal names made local: they cannot clash with the program's, and
# malloc never comes without the constructor and the other entry points.
add_custom_command(OUTPUT stitchmalloc.o
	COMMAND ${CMAKE_LINKER} -r -o stitchmalloc.o ${product_objects} ${symbolise_archives}
	COMMAND ${CMAKE_OBJCOPY} --localize-hidden --wildcard --weaken-symbol=_Zn*
		--weaken-symbol=_Zd* --weaken-symbol=_exit --weaken-symbol=_Exit
		--localize-symbol=backtrace_* --localize-symbol=cplus_*
		--localize-symbol=is_gnu_v3_* --localize-symbol=java_* stitchmalloc.o
	DEPENDS ${product_objects} COMMAND_EXPAND_LISTS VERBATIM)
set_source_files_properties(${PROJECT_BINARY_DIR}/stitchmalloc.o PROPERTIES
	EXTERNAL_OBJECT ON GENERATED ON)
add_library(stitchmalloc_static STATIC ${PROJECT_BINARY_DIR}/stitchmalloc.o)
# For Make.
add_dependencies(stitchmalloc_static stitch_core stitch_os stitch_entry)
set_target_properties(stitchmalloc_static PROPERTIES OUTPUT_NAME stitchmalloc
	EXPORT_NAME static LINKER_LANGUAGE C)

foreach(library stitchmalloc_shared stitchmalloc_static)
	target_include_directories(${library} INTERFACE
		$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
endforeach()

add_executable(launcher tools/launcher.c tools/leaks.c tools/symbolize.c tools/task.c tools/tracee.c
	tools/flamegraph/flamegraph.c tools/image.c tools/report.c)
# What reads a heap from outside is compiled into the launcher, too.
target_sources(launcher PRIVATE src/proc/proc_view.c src/proc/proc_lowmem.c src/proc/proc_memcg.c
	src/proc/proc_format.c src/core/report.c
	src/base/format.c src/slab/size_class.c tools/report_os.c)
target_include_directories(launcher PRIVATE preload src include) # remote.h
target_compile_definitions(launcher PRIVATE CONFIG_DEBUG=$<BOOL:${STITCH_DEBUG}>
	CONFIG_VALGRIND=$<BOOL:${STITCH_VALGRIND}> CONFIG_LEAKS=$<BOOL:${STITCH_LEAKS}>)
set_target_properties(launcher PROPERTIES OUTPUT_NAME stitchmalloc)
target_link_libraries(launcher PRIVATE stitch_flags)
find_library(libdw dw)
find_path(libdw_headers elfutils/libdwfl.h)
if(libdw AND libdw_headers AND libiberty AND libiberty_headers)
	target_compile_definitions(launcher PRIVATE HAVE_LIBDW=1)
	target_link_libraries(launcher PRIVATE ${libdw} ${libiberty})
else()
	target_compile_definitions(launcher PRIVATE HAVE_LIBDW=0)
	message(STATUS "no `stitchmalloc symbolize`: apt-get install libdw-dev libiberty-dev")
endif()
find_library(libjansson jansson)
find_path(libjansson_headers jansson.h)
if(libjansson AND libjansson_headers)
	set(flamegraph ${PROJECT_SOURCE_DIR}/tools/flamegraph)
	target_sources(launcher PRIVATE ${flamegraph}/read.c ${flamegraph}/tree.c
		${flamegraph}/page.c)
	set_source_files_properties(${flamegraph}/page.c PROPERTIES
		OBJECT_DEPENDS "${flamegraph}/page.css;${flamegraph}/page.js"
		COMPILE_DEFINITIONS FLAMEGRAPH_FOLDER="${flamegraph}")
	target_compile_definitions(launcher PRIVATE HAVE_JANSSON=1)
	target_link_libraries(launcher PRIVATE ${libjansson})
else()
	target_compile_definitions(launcher PRIVATE HAVE_JANSSON=0)
	message(STATUS "no `stitchmalloc flamegraph`: apt-get install libjansson-dev")
endif()
file(RELATIVE_PATH libdir_beside_launcher
	${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
target_compile_definitions(launcher PRIVATE STITCH_VERSION="${PROJECT_VERSION}"
	STITCH_LIBDIR="${CMAKE_INSTALL_FULL_LIBDIR}"
	STITCH_LIBDIR_BESIDE="${libdir_beside_launcher}")

# It stands alone, on libc; its malloc calls the next one.
file(GLOB record_sources CONFIGURE_DEPENDS tools/record/*.c)
add_library(stitchrecord MODULE ${record_sources})
target_compile_options(stitchrecord PRIVATE -fno-builtin -fvisibility=hidden
	-ftls-model=initial-exec)
target_link_options(stitchrecord PRIVATE -Wl,-z,nodelete -Wl,-z,now -Wl,-z,defs)
target_link_libraries(stitchrecord PRIVATE stitch_flags)
