# Tests of what is shipped: libstitchmalloc.so under unchanged programs, the launcher, the installation.
set(preloaded ${CMAKE_COMMAND} -E env LD_PRELOAD=$<TARGET_FILE:stitchmalloc>)

file(GLOB semantics_tests CONFIGURE_DEPENDS semantics/*.c semantics/*.cc)
file(GLOB fastpath_tests CONFIGURE_DEPENDS fastpath/*.c)
foreach(source ${semantics_tests} ${fastpath_tests})
	stitch_test_name(name ${source})
	string(REGEX MATCH "^[a-z]+" label ${name})
	stitch_outer_program(${name} ${source})
	stitch_test(${name} ${label} 60 env LD_PRELOAD=$<TARGET_FILE:stitchmalloc>
		$<TARGET_FILE:${name}>)
endforeach()

file(GLOB death_tests CONFIGURE_DEPENDS death/*.c)
foreach(source ${death_tests})
	stitch_test_name(name ${source})
	stitch_outer_program(${name} ${source})
	string(REGEX REPLACE "\\.c$" ".expect" expect ${source})
	stitch_test(${name} death 30 sh ${CMAKE_CURRENT_SOURCE_DIR}/run_death.sh
		$<TARGET_FILE:stitchmalloc> $<TARGET_FILE:${name}> ${expect})
endforeach()
