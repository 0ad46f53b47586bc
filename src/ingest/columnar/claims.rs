//! What an Arrow IPC file claims that its compressed buffers unpack to. In: bytes. Out: a defect
//! where a claim is beyond belief. The decoder would ask for that much memory, and an allocation
//! that fails ends the program, which no guard can catch.

use ::arrow::ipc::{Block, Message, root_as_footer, root_as_message};

/// Bytes that one batch may unpack to however small the file is.
const BATCH: u64 = 256 << 20;
/// How many times the file's size one batch may unpack to.
const RATIO: u64 = 10;
/// Marks a message's length in front of it; files before 2020 have none.
const CONTINUATION: [u8; 4] = [0xff; 4];
/// Length of the footer's length and the magic behind it.
const TAIL: usize = 10;

/// Says what is wrong where a batch claims more than a file of this size can hold.
pub fn defect(bytes: &[u8]) -> Option<String> {
    let most = BATCH.max((bytes.len() as u64).saturating_mul(RATIO));
    let claimed = if bytes.starts_with(b"ARROW1") { of_file(bytes) } else { of_stream(bytes) };
    let claimed = claimed?;
    (claimed > most).then(|| {
        format!("a batch claims to unpack to {claimed} bytes: the file contradicts itself")
    })
}

/// The largest claim of a file's blocks; `None` where its footer is not readable.
fn of_file(bytes: &[u8]) -> Option<u64> {
    let tail = bytes.len().checked_sub(TAIL)?;
    let len = i32::from_le_bytes(bytes.get(tail..tail + 4)?.try_into().ok()?);
    let footer = bytes.get(tail.checked_sub(usize::try_from(len).ok()?)?..tail)?;
    let footer = root_as_footer(footer).ok()?;
    let blocks = footer.dictionaries().into_iter().chain(footer.recordBatches());
    // A block is read in one piece, as long as the footer says that it is.
    let length = |b: &Block| {
        let parts = [u64::try_from(b.bodyLength()), u64::try_from(b.metaDataLength())];
        parts.into_iter().flatten().fold(0, u64::saturating_add)
    };
    let claims =
        blocks.flat_map(|all| all.iter().map(|b| of_block(bytes, b).unwrap_or(0).max(length(b))));
    claims.max()
}

fn of_block(bytes: &[u8], block: &Block) -> Option<u64> {
    let offset = usize::try_from(block.offset()).ok()?;
    let meta = usize::try_from(block.metaDataLength()).ok()?;
    let body = offset.checked_add(meta)?;
    // As the decoder reads it: what the message refers to may lie behind its own length.
    let framed = bytes.get(offset..)?;
    let prefix = if framed.starts_with(&CONTINUATION) { 8 } else { 4 };
    let message = root_as_message(framed.get(prefix..)?).ok()?;
    Some(of_message(&message, bytes.get(body..)?))
}

/// The largest claim of a stream's messages, up to the first that is not readable.
fn of_stream(bytes: &[u8]) -> Option<u64> {
    let (mut rest, mut most) = (bytes, 0);
    while let Some((claimed, behind)) = next(rest) {
        most = most.max(claimed);
        rest = behind;
    }
    Some(most)
}

fn next(rest: &[u8]) -> Option<(u64, &[u8])> {
    let rest = rest.strip_prefix(&CONTINUATION).unwrap_or(rest);
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let len = usize::try_from(i32::from_le_bytes(*len)).ok().filter(|len| *len > 0)?;
    let message = root_as_message(rest.get(..len)?).ok()?;
    let body = rest.get(len..)?;
    let behind = body.get(usize::try_from(message.bodyLength()).ok()?..).unwrap_or_default();
    Some((of_message(&message, body), behind))
}

/// What all compressed buffers of a message claim: each begins with its length unpacked.
fn of_message(message: &Message, body: &[u8]) -> u64 {
    let dictionary = message.header_as_dictionary_batch().and_then(|d| d.data());
    let batch = message.header_as_record_batch().or(dictionary);
    let Some(batch) = batch.filter(|b| b.compression().is_some()) else { return 0 };
    let claim = |at: i64| {
        let at = usize::try_from(at).ok()?;
        let len = body.get(at..)?.first_chunk::<8>()?;
        // -1 says that the buffer is not compressed.
        u64::try_from(i64::from_le_bytes(*len)).ok()
    };
    let buffers = batch.buffers().into_iter().flatten().filter(|b| b.length() > 0);
    buffers.filter_map(|b| claim(b.offset())).fold(0, u64::saturating_add)
}
