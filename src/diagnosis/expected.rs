//! Which of the devices that were expected came, and how far: a list of them against the enrollments.

use std::collections::HashMap;

use crate::enrollment::{Enrollment, EnrollmentId, Outcome};

/// A line of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// In the file, from 1.
    pub line: u64,
    pub device_name: Option<String>,
    pub user: Option<String>,
    pub device_id: Option<String>,
    pub mac: Option<String>,
    pub hardware_id: Option<String>,
}

impl Expected {
    /// What it is called in reports.
    pub fn label(&self) -> &str {
        let names = [&self.device_name, &self.user, &self.device_id, &self.mac, &self.hardware_id];
        names.into_iter().flatten().next().map_or("", String::as_str)
    }

    /// What is given has to fit; several columns of one line are one device.
    fn is(&self, e: &Enrollment) -> bool {
        let same = |wanted: &Option<String>, is: &Option<String>| match (wanted, is) {
            (Some(wanted), Some(is)) => Some(plain(wanted) == plain(is)),
            (Some(_), None) => Some(false),
            (None, _) => None,
        };
        let known = [
            same(&self.device_name, &e.device_name),
            same(&self.user, &e.user),
            same(&self.device_id, &e.device_id),
            same(&self.hardware_id, &e.signs.hardware_id),
            self.mac.as_ref().map(|mac| e.signs.macs.iter().any(|own| digits(own) == digits(mac))),
        ];
        // What an early end keeps from being known (a name comes with the last request) is no difference.
        let known = known.into_iter().flatten();
        let certain = [
            same(&self.device_name, &e.device_name).unwrap_or(true) || e.device_name.is_none(),
            same(&self.user, &e.user).unwrap_or(true) || e.user.is_none(),
        ];
        known.clone().any(|same| same) && certain.into_iter().all(|fits| fits)
    }
}

/// Letters' case and blanks do not count.
fn plain(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Of a MAC address in any notation.
fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_lowercase()
}

/// How far an expected device came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Arrival {
    NotSeen,
    Failed,
    /// It came, and is on its way or stuck.
    Arrived,
    Enrolled,
}

impl Arrival {
    pub const ALL: [Self; 4] = [Self::Enrolled, Self::Arrived, Self::Failed, Self::NotSeen];

    pub fn word(self) -> &'static str {
        match self {
            Self::Enrolled => "enrolled",
            Self::Arrived => "arrived",
            Self::Failed => "failed",
            Self::NotSeen => "not seen",
        }
    }
}

/// How far each came, with the enrollment that says so: the best end counts, else the latest.
pub fn arrivals<'e>(
    expected: &[Expected],
    enrollments: impl Iterator<Item = &'e Enrollment>,
) -> Vec<(Arrival, Option<EnrollmentId>)> {
    let state = |e: &Enrollment| match e.outcome {
        Outcome::Enrolled => Arrival::Enrolled,
        Outcome::Failed => Arrival::Failed,
        Outcome::InProgress | Outcome::Stalled => Arrival::Arrived,
    };
    // Each is looked up by what is given of it: lists are as long as the enrollments are many.
    let mut known: HashMap<(Column, String), Vec<&Enrollment>> = HashMap::new();
    for e in enrollments {
        for key in keys([&e.device_name, &e.user, &e.device_id, &e.signs.hardware_id], &e.signs.macs) {
            known.entry(key).or_default().push(e);
        }
    }
    let of = |wanted: &Expected| {
        let texts = [&wanted.device_name, &wanted.user, &wanted.device_id, &wanted.hardware_id];
        let own = keys(texts, wanted.mac.as_slice()).filter_map(|key| known.get(&key)).flatten();
        let best =
            own.copied().filter(|e| wanted.is(e)).max_by_key(|e| (e.outcome == Outcome::Enrolled, e.latest));
        best.map_or((Arrival::NotSeen, None), |e| (state(e), Some(e.id)))
    };
    expected.iter().map(of).collect()
}

/// What a device is known by.
fn keys<'a>(
    [device_name, user, device_id, hardware_id]: [&'a Option<String>; 4],
    macs: &'a [String],
) -> impl Iterator<Item = (Column, String)> + use<'a> {
    let texts = [
        (Column::DeviceName, device_name),
        (Column::User, user),
        (Column::DeviceId, device_id),
        (Column::HardwareId, hardware_id),
    ];
    let texts = texts.into_iter().filter_map(|(column, text)| Some((column, plain(text.as_ref()?))));
    texts.chain(macs.iter().map(|mac| (Column::Mac, digits(mac))))
}

/// What to look at for a device of which nothing arrived, in the order of likelihood.
pub const UNSEEN: &[&str] = &[
    "Is the user in the MDM user scope, and has a licence? (0x8018002B on the device)",
    "Is the device joined, with a token? dsregcmd /status: AzureAdJoined YES, AzureAdPrt YES, the right TenantId",
    "Is it enrolled elsewhere, or is something left of an earlier enrollment? (0x8018000A)",
    "Does a policy keep it from enrolling (Disable MDM Enrollment), or none tell it to? Task Scheduler > EnterpriseMgmt",
    "Does EnterpriseEnrollment of the user's domain, or the address that was typed, lead here? `enrollscope doctor DOMAIN`",
    "Does port 443 of it answer from the device's network, also for the system account (netsh winhttp show proxy)?",
    "Does the device trust the certificate? Refused handshakes are findings of TLS here",
];

/// No name or id is longer, in bytes.
const LONGEST: usize = 512;
/// As many devices as the engine remembers.
const MOST: usize = 20_000;

/// The columns of a list that mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Column {
    DeviceName,
    User,
    DeviceId,
    Mac,
    HardwareId,
}

/// Headings, without what is no letter or digit.
fn column(heading: &str) -> Option<Column> {
    let heading: String =
        heading.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    Some(match heading.as_str() {
        "devicename" | "device" | "computer" | "computername" | "hostname" | "name" => Column::DeviceName,
        "upn" | "user" | "username" | "userprincipalname" | "email" | "emailaddress" | "mail"
        | "primaryuserupn" | "assigneduser" => Column::User,
        "deviceid" => Column::DeviceId,
        "mac" | "macaddress" | "wifimac" | "wifimacaddress" | "ethernetmac" => Column::Mac,
        "hwdevid" | "hardwareid" | "hardwaredeviceid" => Column::HardwareId,
        _ => return None,
    })
}

/// Headings of what no message of an enrollment has in it.
fn is_never_sent(heading: &str) -> bool {
    let heading = heading.to_lowercase();
    ["serial", "asset", "hash", "product id", "model", "manufacturer"]
        .iter()
        .any(|word| heading.contains(word))
}

/// Reads a list by its headings: names, users, MAC addresses and ids, in whatever order.
///
/// # Errors
/// There is no heading that can be found in an enrollment, or no line; in words.
pub fn read_expected(text: &str) -> Result<Vec<Expected>, String> {
    // Lines are counted by their newlines alone.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let first = text.lines().next().unwrap_or_default();
    // Spreadsheets separate by what their country does not use in numbers.
    let count = |sign: char| first.matches(sign).count();
    let separator =
        [',', ';', '\t'].into_iter().max_by_key(|sign| (count(*sign), *sign == ',')).unwrap_or(',');
    let separator = u8::try_from(separator).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let headings = reader.headers().map_err(|error| error.to_string())?.clone();
    let columns: Vec<_> = headings.iter().map(column).collect();
    if columns.iter().all(Option::is_none) {
        if let Some(never) = headings.iter().find(|heading| is_never_sent(heading)) {
            return Err(format!(
                "the column “{never}”: no message of an enrollment carries it, so nothing can be found by it; \
                 give the device name, the user (UPN), the MAC address or HWDevID"
            ));
        }
        return Err("its first line has no heading that is known: DeviceName, UPN, DeviceID, MAC or HWDevID"
            .to_owned());
    }
    for (at, column) in columns.iter().enumerate() {
        if column.is_some() && columns.iter().skip(at + 1).any(|other| other == column) {
            let heading = headings.get(at).unwrap_or_default();
            return Err(format!(
                "the column “{heading}” is there twice, in these words or others: leave one out"
            ));
        }
    }
    let mut found = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        if let Some(line) = record
            .position()
            .map(csv::Position::line)
            .filter(|_| record.iter().any(|value| value.len() > LONGEST))
        {
            return Err(format!(
                "line {line} has a value of more than {LONGEST} bytes; is a quotation mark not closed there?"
            ));
        }
        if found.len() == MOST {
            return Err(format!(
                "it has more than {MOST} devices, as many as are remembered; make several lists"
            ));
        }
        let mut expected =
            Expected { line: record.position().map_or(0, csv::Position::line), ..Expected::default() };
        for (column, value) in columns.iter().zip(&record) {
            let value = Some(value.to_owned()).filter(|value| !value.is_empty());
            match column {
                Some(Column::DeviceName) => expected.device_name = value,
                Some(Column::User) => expected.user = value,
                Some(Column::DeviceId) => expected.device_id = value,
                Some(Column::Mac) => expected.mac = value,
                Some(Column::HardwareId) => expected.hardware_id = value,
                None => {}
            }
        }
        if !expected.label().is_empty() {
            found.push(expected);
        }
    }
    if found.is_empty() {
        return Err("there is no device in it: a line of headings, and one line each is wanted".to_owned());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_by_their_headings_in_the_ways_of_spreadsheets() {
        let list = read_expected(
            "Asset tag;Device Name;User principal name\r\n7;LAPTOP-1;\"anna@a.example\"\r\n8;;\r\n",
        )
        .unwrap();
        let [one] = &list[..] else { panic!("{list:?}") };
        assert_eq!((one.line, one.label(), one.user.as_deref()), (2, "LAPTOP-1", Some("anna@a.example")));
        assert_eq!(
            read_expected("mac\n00-11-22-33-44-55\n").unwrap()[0].mac.as_deref(),
            Some("00-11-22-33-44-55")
        );
        for (text, words) in [
            ("Device Serial Number,Hardware Hash\nA,B\n", "“Device Serial Number”: no message"),
            ("a,b\n1,2\n", "no heading that is known"),
            ("upn\n", "no device in it"),
            ("", "no heading"),
        ] {
            let error = read_expected(text).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
