# What is shipped: libstitchmalloc.so, libstitchmalloc.a and the launcher.
stitch_objects(stitch_entry ${entry_sources})
set(product_objects $<TARGET_OBJECTS:stitch_core> $<TARGET_OBJECTS:stitch_os>
	$<TARGET_OBJECTS:stitch_entry>)

set(exports_map ${PROJECT_SOURCE_DIR}/preload/exports.map)
if(NOT EXISTS ${exports_map} OR NOT entry_sources)
	return()
endif()
add_library(stitchmalloc SHARED ${product_objects})
set_target_properties(stitchmalloc PROPERTIES VERSION ${PROJECT_VERSION}
	SOVERSION ${PROJECT_VERSION_MAJOR} LINKER_LANGUAGE C LINK_DEPENDS ${exports_map})
target_include_directories(stitchmalloc INTERFACE
	$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
# -nodefaultlibs: whatever the compiler would like to pull in besides libc is a link error.
target_link_options(stitchmalloc PRIVATE -Wl,--version-script=${exports_map} -Wl,-z,nodelete
	-Wl,-z,now -Wl,-z,relro -Wl,-z,defs -Wl,--gc-sections -nodefaultlibs)
target_link_libraries(stitchmalloc PRIVATE -lc)

add_library(stitchmalloc_static STATIC ${product_objects})
set_target_properties(stitchmalloc_static PROPERTIES OUTPUT_NAME stitchmalloc
	EXPORT_NAME static LINKER_LANGUAGE C)
target_include_directories(stitchmalloc_static INTERFACE
	$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)

if(EXISTS ${PROJECT_SOURCE_DIR}/tools/launcher.c)
	add_executable(launcher tools/launcher.c)
	set_target_properties(launcher PROPERTIES OUTPUT_NAME stitchmalloc)
	target_link_libraries(launcher PRIVATE stitch_flags)
	target_compile_definitions(launcher PRIVATE STITCH_VERSION="${PROJECT_VERSION}"
		STITCH_LIBDIR="${CMAKE_INSTALL_FULL_LIBDIR}")
endif()
