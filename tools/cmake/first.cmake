# The order within libstitchmalloc.so. A page fault on a file brings the pages around it, up to 64
# or 128 KiB, all of which count as the process's: what every process reads or runs lies together
# at the beginning, behind what the dynamic linker reads: our constants, what the compiler adds to
# each library, and then the functions of preload/first_functions.txt, which
# tools/first_functions.py writes. They are named in front of the others in GNU ld's own script (in
# a section of their own Valgrind would see no names of functions). Another linker, or another
# script, does without.
set(functions_file ${PROJECT_SOURCE_DIR}/preload/first_functions.txt)
file(STRINGS ${functions_file} first_functions)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${functions_file})
list(TRANSFORM first_functions REPLACE "(.+)"
	".text.\\1 .text.\\1.* .text.unlikely.\\1 .text.startup.\\1")
list(JOIN first_functions "\n\t" first_functions)

separate_arguments(flags UNIX_COMMAND "${CMAKE_C_FLAGS} ${CMAKE_SHARED_LINKER_FLAGS}")
execute_process(COMMAND ${CMAKE_C_COMPILER} ${flags} -shared -nostdlib -Wl,-z,noseparate-code
	-Wl,-z,now -Wl,-z,relro -Wl,--verbose OUTPUT_VARIABLE script ERROR_QUIET)
string(REGEX REPLACE ".*\n=====+\n(.*)\n=====+\n.*" "\\1" script "${script}")
string(REGEX REPLACE "\n( *\\.text +:\n *{)"
	"\n.rodata.first : { *stitch*.dir/*.o(.rodata .rodata.*) }
.fini : { KEEP (*(SORT_NONE(.fini))) }
\\1\n*crt*.o(.text .text.*)\n*(\n\t${first_functions}\n)"
	script "${script}")
set(first_script ${PROJECT_BINARY_DIR}/first.ld)
file(CONFIGURE OUTPUT ${first_script} CONTENT "${script}" @ONLY)
include(CheckLinkerFlag)
set(linker_orders_sections FALSE)
if(script MATCHES "rodata\\.first" AND NOT CMAKE_LINKER_TYPE)
	unset(linker_takes_script CACHE)
	check_linker_flag(C -Wl,-T,${first_script} linker_takes_script)
	set(linker_orders_sections ${linker_takes_script})
endif()
