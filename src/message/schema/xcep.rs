//! GetPolicies and GetPoliciesResponse: MS-XCEP 6.2 with the type sections 3.1.4.1.3.*, and the additions of MS-MDE2.

use super::declare::{
    BASE64, BOOLEAN, DATE_TIME, Global, INT, LANGUAGE, Rest, TEXT, Type, UNSIGNED_INT, UNSIGNED_LONG, URI,
    all, many, one, opt, sequence, simple,
};
use super::simple::Simple;
use crate::message::names;

pub(super) static GLOBALS: &[Global] = &[
    Global { namespace: names::XCEP, element: one("GetPolicies", &GET_POLICIES) },
    Global { namespace: names::XCEP, element: one("GetPoliciesResponse", &GET_POLICIES_RESPONSE) },
    Global { namespace: names::XCEP, element: one("commonName", &TEXT) },
];

static GET_POLICIES: Type =
    sequence("GetPolicies", &[one("client", &CLIENT), one("requestFilter", &REQUEST_FILTER).nil()]);

static CLIENT: Type =
    sequence("Client", &[one("lastUpdate", &DATE_TIME).nil(), one("preferredLanguage", &LANGUAGE).nil()])
        .then(Rest::Any);

/// The versions are in 3.1.4.1.3.22 only; section 6.2 does not know them.
static REQUEST_FILTER: Type = sequence(
    "RequestFilter",
    &[
        one("policyOIDs", &FILTER_OIDS).nil(),
        opt("clientVersion", &INT).nil(),
        opt("serverVersion", &INT).nil(),
    ],
)
.then(Rest::Any);

static FILTER_OIDS: Type = sequence("FilterOIDCollection", &[many("oid", &TEXT)]);

static GET_POLICIES_RESPONSE: Type = sequence(
    "GetPoliciesResponse",
    &[one("response", &RESPONSE).nil(), one("cAs", &CAS).nil(), one("oIDs", &OIDS).nil()],
);

static RESPONSE: Type = sequence(
    "Response",
    &[
        one("policyID", &TEXT),
        one("policyFriendlyName", &TEXT).nil(),
        one("nextUpdateHours", &UNSIGNED_INT).nil(),
        one("policiesNotChanged", &BOOLEAN).nil(),
        one("policies", &POLICIES).nil(),
    ],
)
.then(Rest::Any);

static POLICIES: Type = sequence("PolicyCollection", &[many("policy", &POLICY)]);

static POLICY: Type = sequence(
    "CertificateEnrollmentPolicy",
    &[one("policyOIDReference", &INT), one("cAs", &CA_REFERENCES).nil(), one("attributes", &ATTRIBUTES)],
)
.then(Rest::Any);

static CA_REFERENCES: Type = sequence("CAReferenceCollection", &[many("cAReference", &INT)]);

static ATTRIBUTES: Type = sequence(
    "Attributes",
    &[
        one("commonName", &TEXT),
        one("policySchema", &UNSIGNED_INT),
        one("certificateValidity", &VALIDITY),
        one("permission", &PERMISSION),
        one("privateKeyAttributes", &PRIVATE_KEY),
        one("revision", &REVISION),
        one("supersededPolicies", &SUPERSEDED).nil(),
        one("privateKeyFlags", &UNSIGNED_INT).nil(),
        one("subjectNameFlags", &UNSIGNED_INT).nil(),
        one("enrollmentFlags", &UNSIGNED_INT).nil(),
        one("generalFlags", &UNSIGNED_INT).nil(),
        one("hashAlgorithmOIDReference", &INT).nil(),
        one("rARequirements", &RA_REQUIREMENTS).nil(),
        one("keyArchivalAttributes", &KEY_ARCHIVAL).nil(),
        one("extensions", &EXTENSIONS).nil(),
        // MS-MDE2 3.3.4.1.1.2, placed as its sample 4.2.3 has it.
        opt("attestation", &ATTESTATION),
    ],
)
.then(Rest::Any);

static VALIDITY: Type = sequence(
    "CertificateValidity",
    &[one("validityPeriodSeconds", &UNSIGNED_LONG), one("renewalPeriodSeconds", &UNSIGNED_LONG)],
);

static PERMISSION: Type =
    sequence("EnrollmentPermission", &[one("enroll", &BOOLEAN), one("autoEnroll", &BOOLEAN)]);

static PRIVATE_KEY: Type = sequence(
    "PrivateKeyAttributes",
    &[
        one("minimalKeyLength", &UNSIGNED_INT),
        one("keySpec", &UNSIGNED_INT).nil(),
        one("keyUsageProperty", &UNSIGNED_INT).nil(),
        one("permissions", &TEXT).nil(),
        one("algorithmOIDReference", &INT).nil(),
        // MS-MDE2 3.3.4.1.1.2, placed as its sample 4.2.2 has them; MS-XCEP leaves no room for them.
        opt("AttestationFailureBehavior", &BEHAVIOR),
        opt("OperationTimeout", &UNSIGNED_INT),
        one("cryptoProviders", &PROVIDERS).nil(),
    ],
);

static PROVIDERS: Type = sequence("CryptoProviders", &[many("provider", &TEXT)]);

/// minorRevision may be nil in 3.1.4.1.3.24 only.
static REVISION: Type =
    sequence("Revision", &[one("majorRevision", &UNSIGNED_INT), one("minorRevision", &UNSIGNED_INT).nil()]);

static SUPERSEDED: Type = sequence("SupersededPolicies", &[many("commonName", &TEXT)]);

static RA_REQUIREMENTS: Type = sequence(
    "RARequirements",
    &[
        one("rASignatures", &UNSIGNED_INT),
        one("rAEKUs", &OID_REFERENCES).nil(),
        one("rAPolicies", &OID_REFERENCES).nil(),
    ],
);

static OID_REFERENCES: Type = sequence("OIDReferenceCollection", &[many("oIDReference", &INT)]);

static KEY_ARCHIVAL: Type = sequence(
    "KeyArchivalAttributes",
    &[one("symmetricAlgorithmOIDReference", &INT), one("symmetricAlgorithmKeyLength", &UNSIGNED_INT)],
);

static EXTENSIONS: Type = sequence("ExtensionCollection", &[many("extension", &EXTENSION)]);

/// critical may be nil in 3.1.4.1.3.12 only.
static EXTENSION: Type = sequence(
    "Extension",
    &[one("oIDReference", &INT), one("critical", &BOOLEAN).nil(), one("value", &BASE64).nil()],
);

static ATTESTATION: Type = all(
    "Attestation",
    &[
        opt("attestationFailureBehavior", &BEHAVIOR).nil(),
        opt("operationTimeout", &UNSIGNED_INT).nil(),
        opt("azureAttestation", &AZURE_ATTESTATION).nil(),
    ],
);

static AZURE_ATTESTATION: Type = all(
    "AzureAttestation",
    &[opt("nonce", &TEXT).nil(), opt("relyingPartyId", &TEXT).nil(), opt("endpointUri", &URI).nil()],
);

static BEHAVIOR: Type =
    simple("AttestationFailureBehavior", Simple::OneOf(&["FailOnError", "IgnoreOnError", "RetryOnError"]));

static CAS: Type = sequence("CACollection", &[many("cA", &CA)]);

static CA: Type = sequence(
    "CA",
    &[
        one("uris", &URIS),
        one("certificate", &BASE64),
        one("enrollPermission", &BOOLEAN),
        one("cAReferenceID", &INT),
    ],
)
.then(Rest::Any);

static URIS: Type = sequence("CAURICollection", &[many("cAURI", &CA_URI)]);

/// renewalOnly may be nil in 3.1.4.1.3.5 only.
static CA_URI: Type = sequence(
    "CAURI",
    &[
        one("clientAuthentication", &UNSIGNED_INT),
        one("uri", &URI),
        one("priority", &UNSIGNED_INT).nil(),
        one("renewalOnly", &BOOLEAN).nil(),
    ],
)
.then(Rest::Any);

static OIDS: Type = sequence("OIDCollection", &[many("oID", &OID)]);

static OID: Type = sequence(
    "OID",
    &[
        one("value", &TEXT),
        one("group", &UNSIGNED_INT),
        one("oIDReferenceID", &INT),
        one("defaultName", &TEXT).nil(),
    ],
)
.then(Rest::Any);
