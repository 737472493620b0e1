package codecs

// h264Size reads the size of the cropped picture from a sequence parameter set
// without its NAL unit header (ITU-T H.264 §7.3.2.1.1 and §7.4.2.1.1). If the
// set is cut short or out of range, the size stays unknown.
func h264Size(sps []byte, f *Frame) {
	r := bitReader{data: sps, nal: true}
	profile := r.bits(8)
	r.bits(16) // constraints and level
	r.ue()     // seq_parameter_set_id
	chroma := uint32(1)
	if spsHasChroma(profile) {
		chroma = spsChroma(&r)
	}
	r.ue() // log2_max_frame_num_minus4
	if !spsSkipOrder(&r) {
		return
	}
	r.ue()  // max_num_ref_frames
	r.bit() // gaps_in_frame_num_value_allowed_flag
	width := (uint64(r.ue()) + 1) * 16
	height := (uint64(r.ue()) + 1) * 16
	fields := uint64(1)
	if framesOnly := r.flag(); !framesOnly {
		fields = 2
		r.bit() // mb_adaptive_frame_field_flag
	}
	height *= fields
	r.bit() // direct_8x8_inference_flag
	if cropped := r.flag(); cropped {
		unitX, unitY := spsCropUnit(chroma)
		cropX := (uint64(r.ue()) + uint64(r.ue())) * unitX
		cropY := (uint64(r.ue()) + uint64(r.ue())) * unitY * fields
		if cropX >= width || cropY >= height {
			return
		}
		width -= cropX
		height -= cropY
	}
	if !r.short {
		f.setSize(width, height)
	}
}

// spsHasChroma tells whether a profile's parameter sets say the chroma format;
// in the others it is 4:2:0.
func spsHasChroma(profile uint32) bool {
	switch profile {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135:
		return true
	default:
		return false
	}
}

// spsChroma reads the chroma format and skips what follows it up to the scaling
// lists. It returns ChromaArrayType: 0 to 3 for monochrome (or planes coded
// apart), 4:2:0, 4:2:2 and 4:4:4.
func spsChroma(r *bitReader) uint32 {
	const yuv444 = 3
	format := r.ue()
	chroma := format
	if format == yuv444 {
		if separate := r.flag(); separate {
			chroma = 0
		}
	}
	r.ue()  // bit_depth_luma_minus8
	r.ue()  // bit_depth_chroma_minus8
	r.bit() // qpprime_y_zero_transform_bypass_flag
	if matrices := r.flag(); !matrices {
		return chroma
	}
	lists := 8
	if format == yuv444 {
		lists = 12
	}
	for i := range lists {
		if present := r.flag(); !present {
			continue
		}
		size := 16
		if i >= 6 {
			size = 64
		}
		spsSkipScalingList(r, size)
	}
	return chroma
}

// spsSkipScalingList skips one scaling list (ITU-T H.264 §7.3.2.1.1.1), which
// ends early where a scale becomes 0.
func spsSkipScalingList(r *bitReader, size int) {
	last := int64(8)
	for range size {
		last = (last + int64(r.se())) & 0xff
		if last == 0 || r.short {
			return
		}
	}
}

// spsSkipOrder skips the description of the picture order count. It returns
// false if it is out of range.
func spsSkipOrder(r *bitReader) bool {
	const maxCycle = 255
	switch r.ue() {
	case 0:
		r.ue() // log2_max_pic_order_cnt_lsb_minus4
	case 1:
		r.bit() // delta_pic_order_always_zero_flag
		r.se()  // offset_for_non_ref_pic
		r.se()  // offset_for_top_to_bottom_field
		n := r.ue()
		if n > maxCycle {
			return false
		}
		for range n {
			r.se()
		}
	case 2:
	default:
		return false
	}
	return true
}

// spsCropUnit returns the width and height of one unit of cropping in frames
// of a ChromaArrayType (ITU-T H.264 table 6-1).
func spsCropUnit(chroma uint32) (x, y uint64) {
	switch chroma {
	case 1:
		return 2, 2
	case 2:
		return 2, 1
	default:
		return 1, 1
	}
}
