//! Changes a record and keeps what this build does not know of it.

use serde_json::Value;

use super::decode::{self, Seal};
use super::encode;
use super::record::Record;

/// The line again after `change`, with every member that this build does not know where it was. An altered line stays
/// marked as such, and one of an unknown kind is given back as it is.
///
/// # Errors
/// What is wrong with the line, in words: it is not JSON, or not a record.
pub fn rewrite(line: &[u8], change: impl FnOnce(&mut Record)) -> Result<Vec<u8>, String> {
    let mut record = decode::record(line)?;
    let mut known = Vec::new();
    encode::record(&mut known, &record);
    change(&mut record);
    let mut out = Vec::new();
    encode::record(&mut out, &record);
    if out.is_empty() {
        return Ok(line.to_vec());
    }
    let mut members = parse(&out)?;
    carry(&mut members, parse(line)?, &parse(&known)?);
    let mut out = serde_json::to_vec(&members).map_err(|e| e.to_string())?;
    match decode::seal(line) {
        Seal::Intact => {
            out.pop();
            encode::seal(&mut out, 0);
        }
        Seal::Altered => out.push(b'\n'),
    }
    Ok(out)
}

fn parse(line: &[u8]) -> Result<Value, String> {
    let mut value: Value = serde_json::from_slice(line).map_err(|e| e.to_string())?;
    if let Some(members) = value.as_object_mut() {
        members.shift_remove("crc32");
    }
    Ok(value)
}

/// Moves from `old` to `new` the members that are not among those that this build makes of `old`.
fn carry(new: &mut Value, old: Value, known: &Value) {
    match (new, old, known) {
        (Value::Object(new), Value::Object(old), Value::Object(known)) => {
            for (name, value) in old {
                match (known.get(&name), new.get_mut(&name)) {
                    (Some(known), Some(new)) => carry(new, value, known),
                    // A body has one of the two: the other must not come back after redaction.
                    (None, None) if !["text", "base64"].contains(&name.as_str()) => {
                        new.insert(name, value);
                    }
                    _ => {}
                }
            }
        }
        (Value::Array(new), Value::Array(old), Value::Array(known))
            if new.len() == old.len() && old.len() == known.len() =>
        {
            for ((new, old), known) in new.iter_mut().zip(old).zip(known) {
                carry(new, old, known);
            }
        }
        _ => {}
    }
}
