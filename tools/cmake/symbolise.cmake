# What names functions and lines in leak reports: libbacktrace, which comes with gcc, and the
# demangler of libiberty (Debian: libgcc-12-dev, libiberty-dev). Without them reports have the names
# that the loader knows.
find_program(gcc_program NAMES gcc gcc-12)
if(gcc_program)
	execute_process(COMMAND ${gcc_program} -print-file-name=libbacktrace.a
		OUTPUT_VARIABLE libbacktrace OUTPUT_STRIP_TRAILING_WHITESPACE)
	get_filename_component(gcc_folder "${libbacktrace}" DIRECTORY)
endif()
find_library(libiberty NAMES libiberty.a)
find_path(libiberty_headers libiberty/demangle.h)

add_library(stitch_symbolise INTERFACE)
if(EXISTS "${libbacktrace}" AND EXISTS "${gcc_folder}/include/backtrace.h" AND libiberty
		AND libiberty_headers)
	# A copy: the folder has headers of gcc's own, that clang must not see.
	configure_file(${gcc_folder}/include/backtrace.h
		${PROJECT_BINARY_DIR}/libbacktrace/backtrace.h COPYONLY)
	set_source_files_properties(src/debug/symbolise.c PROPERTIES
		COMPILE_DEFINITIONS CONFIG_SYMBOLISE=1
		INCLUDE_DIRECTORIES "${PROJECT_BINARY_DIR}/libbacktrace;${libiberty_headers}")
	# That reads the files of all modules at the first question. A copy of it asks
	# src/debug/symbolise.c which modules there are, and is told of the one in question.
	set(symbolise_archives ${PROJECT_BINARY_DIR}/libbacktrace/libbacktrace.a ${libiberty})
	execute_process(COMMAND ${CMAKE_OBJCOPY}
		--redefine-sym dl_iterate_phdr=symbolise_iterate_phdr
		${libbacktrace} ${PROJECT_BINARY_DIR}/libbacktrace/libbacktrace.a
		COMMAND_ERROR_IS_FATAL ANY)
	target_link_libraries(stitch_symbolise INTERFACE ${symbolise_archives})
else()
	message(STATUS "leak reports will not name lines: "
		"apt-get install gcc libiberty-dev, and configure again")
endif()
