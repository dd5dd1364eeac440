//! The card's conversion and buffers of the kernel's.

use super::*;

#[test]
fn structures_of_conversion_and_import_lie_as_in_the_header() {
    let mut all = Comparison::default();
    same!(all, abi::Rectangle, "VARectangle": y = "y", width = "width", height = "height");
    same!(all, abi::ColourProperties, "VAProcColorProperties": range = "color_range", matrix = "matrix_coefficients");
    same!(all, abi::Pipeline, "VAProcPipelineParameterBuffer": surface_region = "surface_region",
        surface_standard = "surface_color_standard", output_region = "output_region",
        background = "output_background_color", output_standard = "output_color_standard",
        pipeline_flags = "pipeline_flags", filters = "filters", num_backward_references = "num_backward_references",
        blend_state = "blend_state", input_surface_flag = "input_surface_flag", input_colour = "input_color_properties",
        output_colour = "output_color_properties", output_hdr_metadata = "output_hdr_metadata");
    same!(all, abi::PrimeDescriptor, "VADRMPRIMESurfaceDescriptor": num_objects = "num_objects", objects = "objects",
        num_layers = "num_layers", layers = "layers");
    let within = |place: &str| {
        let (list, _) = place.split_once('[').expect("a list");
        let of = "offsetof(VADRMPRIMESurfaceDescriptor, ";
        format!("{of}{place}) - {of}{list})")
    };
    for (place, ours) in [
        ("objects[1]", size_of::<abi::PrimeObject>()),
        ("objects[0].size", offset_of!(abi::PrimeObject, size)),
        (
            "objects[0].drm_format_modifier",
            offset_of!(abi::PrimeObject, modifier),
        ),
        ("layers[1]", size_of::<abi::PrimeLayer>()),
        (
            "layers[0].object_index",
            offset_of!(abi::PrimeLayer, object_index),
        ),
        ("layers[0].offset", offset_of!(abi::PrimeLayer, offset)),
        ("layers[0].pitch", offset_of!(abi::PrimeLayer, pitch)),
    ] {
        all.add(within(place), ours as u64);
    }
    for (name, ours) in [
        ("VAEntrypointVideoProc", abi::ENTRY_VIDEO_PROC as u32),
        (
            "VAProcPipelineParameterBufferType",
            abi::BUFFER_PIPELINE as u32,
        ),
        ("(unsigned)VAProfileNone", abi::PROFILE_NONE as u32),
        ("VA_RT_FORMAT_RGB32", abi::RT_FORMAT_RGB32),
        ("VA_FOURCC_BGRX", abi::FOURCC_BGRX),
        ("VA_FOURCC_BGRA", abi::FOURCC_BGRA),
        ("VA_FOURCC_RGBX", abi::FOURCC_RGBX),
        ("VA_FOURCC_RGBA", abi::FOURCC_RGBA),
        (
            "VASurfaceAttribMemoryType",
            abi::SURFACE_ATTRIB_MEMORY_TYPE as u32,
        ),
        (
            "VASurfaceAttribExternalBufferDescriptor",
            abi::SURFACE_ATTRIB_EXTERNAL as u32,
        ),
        ("VAGenericValueTypePointer", abi::VALUE_POINTER as u32),
        (
            "VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2",
            abi::MEMORY_DRM_PRIME_2,
        ),
        ("VA_EXPORT_SURFACE_READ_ONLY", abi::EXPORT_READ_ONLY),
        ("VA_EXPORT_SURFACE_COMPOSED_LAYERS", abi::EXPORT_COMPOSED),
        ("VAProcColorStandardBT601", abi::STANDARD_BT601),
        ("VAProcColorStandardBT709", abi::STANDARD_BT709),
        ("VAProcColorStandardSRGB", abi::STANDARD_SRGB),
        ("VA_SOURCE_RANGE_REDUCED", abi::RANGE_REDUCED.into()),
        ("VA_SOURCE_RANGE_FULL", abi::RANGE_FULL.into()),
    ] {
        all.add(name.to_owned(), ours.into());
    }
    all.holds();
}
