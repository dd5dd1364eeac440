//! Pictures in, access units out.

use std::ffi::c_void;

#[derive(Clone, Copy)]
#[repr(C)]
pub struct CreateBitstream {
    pub version: u32,
    pub size: u32,
    pub memory_heap: u32,
    pub reserved: u32,
    pub buffer: *mut c_void,
    pub buffer_pointer: *mut c_void,
    pub reserved1: [u32; 58],
    pub reserved2: [*mut c_void; 64],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct RegisterResource {
    pub version: u32,
    pub resource_type: u32,
    pub width: u32,
    pub height: u32,
    pub pitch: u32,
    pub sub_resource: u32,
    pub resource: *mut c_void,
    pub registered: *mut c_void,
    pub format: u32,
    pub usage: u32,
    pub fence: *mut c_void,
    pub chroma_offset: [u32; 2],
    pub reserved1: [u32; 245],
    pub reserved2: [*mut c_void; 61],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct MapResource {
    pub version: u32,
    pub sub_resource: u32,
    pub input: *mut c_void,
    pub registered: *mut c_void,
    pub mapped: *mut c_void,
    pub format: u32,
    pub reserved1: [u32; 251],
    pub reserved2: [*mut c_void; 63],
}

/// One SEI message, or one metadata OBU of AV1.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Payload {
    pub size: u32,
    pub kind: u32,
    pub bytes: *mut u8,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct PictureH264 {
    pub display_poc: u32,
    pub reserved3: u32,
    pub ref_pic_flag: u32,
    pub colour_plane: u32,
    pub force_intra_refresh: u32,
    pub flags: u32,
    pub slice_type_data: *mut u8,
    pub slice_type_count: u32,
    pub sei_count: u32,
    pub sei: *mut Payload,
    pub rest: [u64; 186],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct PictureHevc {
    pub display_poc: u32,
    pub ref_pic_flag: u32,
    pub temporal_id: u32,
    pub force_intra_refresh: u32,
    pub flags: u32,
    pub slice_type_data: *mut u8,
    pub slice_type_count: u32,
    pub slice_mode: u32,
    pub slice_mode_data: u32,
    pub ltr: [u32; 3],
    pub sei_count: u32,
    pub reserved: u32,
    pub sei: *mut Payload,
    pub rest: [u64; 183],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct PictureAv1 {
    pub display_poc: u32,
    pub ref_pic_flag: u32,
    pub temporal_id: u32,
    pub force_intra_refresh: u32,
    pub flags: u32,
    pub num_tile_columns: u32,
    pub num_tile_rows: u32,
    pub tile_widths: *mut u32,
    pub tile_heights: *mut u32,
    pub obu_count: u32,
    pub reserved: u32,
    pub obus: *mut Payload,
    pub rest: [u64; 186],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub union CodecPicture {
    pub h264: PictureH264,
    pub hevc: PictureHevc,
    pub av1: PictureAv1,
    pub reserved: [u32; 256],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct Picture {
    pub version: u32,
    pub width: u32,
    pub height: u32,
    pub pitch: u32,
    pub flags: u32,
    pub frame_index: u32,
    pub time_stamp: u64,
    pub duration: u64,
    pub input: *mut c_void,
    pub output: *mut c_void,
    pub completion_event: *mut c_void,
    pub format: u32,
    pub picture_struct: u32,
    pub picture_type: u32,
    pub codec: CodecPicture,
    pub me_hint_counts: [[u32; 4]; 2],
    pub me_hints: *mut c_void,
    pub reserved1: [u32; 6],
    pub reserved2: [*mut c_void; 2],
    pub qp_delta_map: *mut i8,
    pub qp_delta_map_size: u32,
    pub reserved_bits: u32,
    pub me_hint_distance: [u16; 2],
    pub alpha_buffer: *mut c_void,
    pub me_sb_hints: *mut c_void,
    pub me_sb_hint_count: u32,
    pub state_buffer: u32,
    pub recon_buffer: *mut c_void,
    pub reserved3: [u32; 284],
    pub reserved4: [*mut c_void; 57],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct LockBitstream {
    pub version: u32,
    pub flags: u32,
    pub output: *mut c_void,
    pub slice_offsets: *mut u32,
    pub frame_index: u32,
    pub hw_status: u32,
    pub num_slices: u32,
    pub size: u32,
    pub time_stamp: u64,
    pub duration: u64,
    pub bytes: *mut c_void,
    pub picture_type: u32,
    pub picture_struct: u32,
    pub average_qp: u32,
    pub satd: u32,
    pub ltr: [u32; 2],
    pub temporal_id: u32,
    pub block_counts: [u32; 2],
    pub average_mv: [i32; 2],
    pub alpha_size: u32,
    pub stats_size: u32,
    pub stats: *mut c_void,
    pub frame_index_display: u32,
    pub reserved1: [u32; 220],
    pub reserved2: [*mut c_void; 63],
    pub reserved_internal: [u32; 8],
}
