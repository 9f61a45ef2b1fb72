# cmake --install: the two libraries, the launcher and its recorder, the headers, the manual pages,
# schemas of reports, pkg-config and CMake packages.
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/stitchmalloc)

install(TARGETS stitchmalloc_shared stitchmalloc_static launcher EXPORT stitchmalloc_targets)
install(TARGETS stitchrecord LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/stitch TYPE INCLUDE)
install(FILES tools/man/stitchmalloc-leaks.1 tools/man/stitchmalloc-report.1
	tools/man/stitchmalloc-run.1
	DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES tools/schema/leaks-1.schema.json tools/schema/profile-1.schema.json
	DESTINATION ${CMAKE_INSTALL_DATADIR}/stitchmalloc)
install(EXPORT stitchmalloc_targets FILE stitchmalloc-targets.cmake NAMESPACE stitchmalloc::
	DESTINATION ${package_folder})

configure_package_config_file(tools/cmake/stitchmalloc-config.cmake.in
	stitchmalloc-config.cmake INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(stitchmalloc-config-version.cmake
	COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/stitchmalloc-config.cmake
	${PROJECT_BINARY_DIR}/stitchmalloc-config-version.cmake DESTINATION ${package_folder})

# The prefix is relative to the .pc file, so that `cmake --install --prefix` may name another.
file(RELATIVE_PATH prefix_above_pc ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(tools/cmake/stitchmalloc.pc.in stitchmalloc.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/stitchmalloc.pc
	DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
