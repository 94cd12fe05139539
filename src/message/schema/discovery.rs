//! Discover and DiscoverResponse: MS-MDE2 section 6.

use super::declare::{Global, Type, UNSIGNED_INT, URI, all, many, one, opt, sequence, simple};
use super::simple::Simple;
use crate::message::names;

pub(super) static GLOBALS: &[Global] = &[
    Global { namespace: names::DISCOVERY, element: one("Discover", &DISCOVER) },
    Global { namespace: names::DISCOVERY, element: one("DiscoverResponse", &DISCOVER_RESPONSE) },
];

static DISCOVER: Type = all("Discover", &[one("request", &REQUEST)]);

/// A client of the first version (MS-MDE, Windows 8.1) sends a nil RequestVersion.
static REQUEST: Type = all(
    "DiscoverRequest",
    &[
        one("EmailAddress", &EMAIL),
        one("RequestVersion", &DECIMAL).nil(),
        one("DeviceType", &DEVICE_TYPE),
        one("ApplicationVersion", &QUAD),
        one("OSEdition", &UNSIGNED_INT),
        one("AuthPolicies", &AUTH_POLICIES),
    ],
);

static AUTH_POLICIES: Type =
    sequence("AuthPolicies", &[super::declare::Child { most: 3, ..many("AuthPolicy", &AUTH_POLICY) }]);

static DISCOVER_RESPONSE: Type = all("DiscoverResponse", &[one("DiscoverResult", &RESULT)]);

static RESULT: Type = all(
    "DiscoverResult",
    &[
        one("AuthPolicy", &AUTH_POLICY),
        opt("EnrollmentPolicyServiceUrl", &URI).nil(),
        one("EnrollmentServiceUrl", &URI),
        opt("AuthenticationServiceUrl", &URI).nil(),
        opt("EnrollmentVersion", &DECIMAL).nil(),
    ],
);

static AUTH_POLICY: Type =
    simple("AuthPolicyType", Simple::OneOf(&["Certificate", "Federated", "OnPremise"]));
/// The schema leaves out WindowsHandheld, which 3.4.4.1.1.1 has.
static DEVICE_TYPE: Type =
    simple("DeviceType", Simple::OneOf(&["CIMClient_Windows", "WindowsPhone", "WindowsHandheld"]));
static QUAD: Type = simple("DottedQuadType", Simple::Quad);
static EMAIL: Type = simple("EmailAddressType", Simple::Email);
static DECIMAL: Type = simple("xs:decimal", Simple::Decimal);
