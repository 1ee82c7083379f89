//! Little data that becomes much, and data that only claims to: the limit holds, and memory stays within it.

use kcompare_core::records::{
    BatchBuilder, BatchDecoder, Codec, LegacyRecord, LegacySet, RecordErrorKind, SnappyFraming,
    legacy_message_set, reseal,
};

use super::hostile_legacy::wrapper;

const LIMIT: usize = 100_000;
const COMPRESSED: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

fn refused(bytes: &[u8]) -> RecordErrorKind {
    let mut decoder = BatchDecoder::new(LIMIT);
    let error = decoder.decode(bytes, 0, |_| panic!("nothing of a bomb may be delivered")).unwrap_err();
    assert!(decoder.scratch_bytes() <= LIMIT, "{} bytes are held", decoder.scratch_bytes());
    error.kind
}

/// A v2 batch whose compressed records are given as they are.
fn batch_with(codec: Codec, compressed: &[u8]) -> Vec<u8> {
    let mut batch = BatchBuilder::new(0).codec(codec).build().unwrap();
    batch.extend_from_slice(compressed);
    let length = batch.len() as i32 - 12;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[60] = 1;
    reseal(&mut batch);
    batch
}

#[test]
fn zeros_in_every_codec_hit_the_limit() {
    let zeros = vec![0; 32 << 20];
    for codec in COMPRESSED {
        for framing in [SnappyFraming::Raw, SnappyFraming::Xerial] {
            let mut builder = BatchBuilder::new(0).codec(codec).snappy_framing(framing);
            let batch = builder.append(0, None, Some(&zeros)).unwrap().build().unwrap();
            let ratio = zeros.len() / batch.len();
            assert!(ratio > [1000, 20, 230, 1000][usize::from(codec.id()) - 1], "{codec} {ratio}");
            assert_eq!(refused(&batch), RecordErrorKind::OutputLimit { codec, limit: LIMIT });
        }
    }
}

#[test]
fn zeros_in_wrappers_hit_the_limit() {
    let zeros = vec![0; 32 << 20];
    for magic in [0, 1] {
        for codec in &COMPRESSED[..3] {
            for snappy_framing in [SnappyFraming::Raw, SnappyFraming::Xerial] {
                let set = LegacySet { snappy_framing, ..LegacySet::new(magic, *codec) };
                let record = LegacyRecord { value: Some(&zeros), ..LegacyRecord::default() };
                let batch = legacy_message_set(&set, &[record]).unwrap();
                assert_eq!(refused(&batch), RecordErrorKind::OutputLimit { codec: *codec, limit: LIMIT });
            }
        }
    }
}

#[test]
fn an_exact_fit_is_read_and_one_byte_less_is_not() {
    let value: Vec<u8> = (0..150_000_u32).map(|index| (index / 7 * index) as u8).collect();
    for codec in COMPRESSED {
        for framing in [SnappyFraming::Raw, SnappyFraming::Xerial] {
            let mut builder = BatchBuilder::new(0).codec(codec).snappy_framing(framing);
            let batch = builder.append(0, None, Some(&value)).unwrap().build().unwrap();
            let mut decoder = BatchDecoder::new(builder.body_size());
            let summary = decoder.decode(&batch, 0, |view| assert_eq!(view.value, Some(&value[..]))).unwrap();
            assert_eq!(summary.decompressed_bytes, builder.body_size());
            assert_eq!(decoder.scratch_bytes(), builder.body_size());
            let limit = builder.body_size() - 1;
            decoder.set_output_limit(limit);
            let error = decoder.decode(&batch, 0, |_| {}).unwrap_err();
            assert_eq!(error.kind, RecordErrorKind::OutputLimit { codec, limit });
        }
    }
}

#[test]
fn a_limit_of_zero_refuses_without_a_loop() {
    for codec in COMPRESSED {
        let mut builder = BatchBuilder::new(0).codec(codec);
        let batch = builder.append(0, None, None).unwrap().build().unwrap();
        let error = BatchDecoder::new(0).decode(&batch, 0, |_| {}).unwrap_err();
        assert_eq!(error.kind, RecordErrorKind::OutputLimit { codec, limit: 0 });
    }
}

#[test]
fn a_snappy_length_decides_no_allocation() {
    let codec = Codec::Snappy;
    // The preamble says 4 GiB - 1, then 90 000 bytes: over the limit, and more than five bytes can hold.
    let huge = [0xff, 0xff, 0xff, 0xff, 0x0f, 0];
    let large = [0x90, 0xbf, 0x05, 0, 0];
    let over = RecordErrorKind::OutputLimit { codec, limit: LIMIT };
    assert_eq!(refused(&batch_with(codec, &huge)), over);
    assert_eq!(refused(&wrapper(1, 2, 0, Some(&huge))), over);
    let reason = String::from("5 bytes claim to hold 90000");
    assert_eq!(refused(&batch_with(codec, &large)), RecordErrorKind::Decompression { codec, reason });
}

#[test]
fn xerial_lengths_are_checked() {
    let codec = Codec::Snappy;
    let stream = |blocks: &[u8]| [b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01", blocks].concat();
    for blocks in [&[0, 0][..], &[0, 0, 0, 9, 1], &[0xff, 0xff, 0xff, 0xff, 1], &[0x7f, 0xff, 0xff, 0xff, 1]]
    {
        let kind = refused(&batch_with(codec, &stream(blocks)));
        assert!(matches!(kind, RecordErrorKind::Decompression { .. }), "{blocks:?}: {kind}");
    }
    let cut_off = refused(&batch_with(codec, b"\x82SNAPPY\0\0\0\0\x01"));
    assert!(matches!(cut_off, RecordErrorKind::Decompression { .. }));
    // Each block is small; together they pass the limit.
    let block = snap::raw::Encoder::new().compress_vec(&vec![0; 30_000]).unwrap();
    let framed = [&(block.len() as i32).to_be_bytes()[..], &block].concat();
    let kind = refused(&batch_with(codec, &stream(&framed.repeat(4))));
    assert_eq!(kind, RecordErrorKind::OutputLimit { codec, limit: LIMIT });
}

#[test]
fn appended_xerial_streams_are_one() {
    let mut builder = BatchBuilder::new(0);
    let plain = builder.append(0, None, Some(b"value")).unwrap().build().unwrap()[61..].to_vec();
    let stream = |part: &[u8]| {
        let block = snap::raw::Encoder::new().compress_vec(part).unwrap();
        [b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01", &(block.len() as i32).to_be_bytes()[..], &block].concat()
    };
    let batch = batch_with(Codec::Snappy, &[stream(&plain[..5]), stream(&plain[5..])].concat());
    BatchDecoder::new(LIMIT).decode(&batch, 0, |view| assert_eq!(view.value, Some(&b"value"[..]))).unwrap();
}

#[test]
fn a_zstd_window_or_content_size_decides_no_allocation() {
    // Magic, a descriptor with an 8-byte content size, a window of 128 MiB (or none), a size of 2^40, an empty last block.
    let size = (1_u64 << 40).to_le_bytes();
    let windowed = [&[0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0x88][..], &size, &[1, 0, 0]].concat();
    let single = [&[0x28, 0xb5, 0x2f, 0xfd, 0xe0][..], &size, &[1, 0, 0]].concat();
    for frame in [windowed, single] {
        let kind = refused(&batch_with(Codec::Zstd, &frame));
        let typed =
            matches!(kind, RecordErrorKind::Decompression { .. } | RecordErrorKind::OutputLimit { .. });
        assert!(typed, "{kind}");
    }
}

#[test]
fn lz4_lengths_are_checked() {
    let codec = Codec::Lz4;
    // Content size 2^40, blocks of up to 4 MiB, then a block that is longer than that, or cut off.
    let size = (1_u64 << 40).to_le_bytes();
    let mut frame = [&[0x04, 0x22, 0x4d, 0x18, 0x68, 0x70][..], &size].concat();
    frame.push((twox_hash::XxHash32::oneshot(0, &frame[4..]) >> 8) as u8);
    for block in [&[0xff, 0xff, 0xff, 0x7f][..], &[0, 0, 0x40, 0x80], &[0, 0, 0, 0], &[0, 0]] {
        let kind = refused(&batch_with(codec, &[&frame[..], block].concat()));
        assert!(matches!(kind, RecordErrorKind::Decompression { .. }), "{block:?}: {kind}");
    }
    for descriptor in [[0x28, 0x40], [0x61, 0x40], [0x62, 0x40], [0x60, 0x30], [0x60, 0xc0], [0x60, 0x41]] {
        let mut frame = [&[0x04, 0x22, 0x4d, 0x18][..], &descriptor].concat();
        frame.push((twox_hash::XxHash32::oneshot(0, &descriptor) >> 8) as u8);
        frame.extend_from_slice(&[0; 4]);
        let kind = refused(&batch_with(codec, &frame));
        assert!(matches!(kind, RecordErrorKind::Decompression { .. }), "{descriptor:?}: {kind}");
    }
}

#[test]
fn bytes_behind_the_compressed_data_are_refused() {
    for codec in COMPRESSED {
        let mut builder = BatchBuilder::new(0).codec(codec).snappy_framing(SnappyFraming::Raw);
        let batch = builder.append(0, None, Some(b"value")).unwrap().build().unwrap();
        let spoiled = batch_with(codec, &[&batch[61..], b"more"].concat());
        let kind = refused(&spoiled);
        assert!(matches!(kind, RecordErrorKind::Decompression { .. }), "{codec}: {kind}");
    }
}
