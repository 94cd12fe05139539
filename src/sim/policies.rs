//! What the reference server answers to GetPolicies: the little that a device uses, or all that a server may say.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::answers::envelope;
use crate::message::names;
use crate::xml::escape;

fn body(policies: &str, issuers: &str, oids: &str) -> String {
    format!(
        "<GetPoliciesResponse xmlns=\"{xcep}\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><response>\
         {policies}</response>{issuers}<oIDs>{oids}</oIDs></GetPoliciesResponse>",
        xcep = names::XCEP,
    )
}

fn oid((reference, group, value, name): (u8, u8, &str, &str)) -> String {
    format!(
        "<oID><value>{value}</value><group>{group}</group><oIDReferenceID>{reference}</oIDReferenceID>\
         <defaultName>{name}</defaultName></oID>"
    )
}

/// The policy's own object identifier, under Microsoft's arc for templates.
const TEMPLATE: &str = "1.3.6.1.4.1.311.21.8.5346283.11403741.1";

/// One policy: RSA of 2048 bits, SHA-256, the TPM first.
pub(super) fn lean(relates_to: &str) -> String {
    let policies = "<policyID/><policyFriendlyName xsi:nil=\"true\"/><nextUpdateHours xsi:nil=\"true\"/>\
         <policiesNotChanged xsi:nil=\"true\"/><policies><policy><policyOIDReference>1</policyOIDReference>\
         <cAs xsi:nil=\"true\"/><attributes><commonName>DeviceEnrollment</commonName>\
         <policySchema>3</policySchema><certificateValidity>\
         <validityPeriodSeconds>31536000</validityPeriodSeconds>\
         <renewalPeriodSeconds>3628800</renewalPeriodSeconds></certificateValidity><permission>\
         <enroll>true</enroll><autoEnroll>false</autoEnroll></permission><privateKeyAttributes>\
         <minimalKeyLength>2048</minimalKeyLength><keySpec xsi:nil=\"true\"/>\
         <keyUsageProperty xsi:nil=\"true\"/><permissions xsi:nil=\"true\"/>\
         <algorithmOIDReference xsi:nil=\"true\"/><cryptoProviders>\
         <provider>Microsoft Platform Crypto Provider</provider>\
         <provider>Microsoft Software Key Storage Provider</provider></cryptoProviders>\
         </privateKeyAttributes><revision><majorRevision>1</majorRevision><minorRevision>0</minorRevision>\
         </revision><supersededPolicies xsi:nil=\"true\"/><privateKeyFlags xsi:nil=\"true\"/>\
         <subjectNameFlags xsi:nil=\"true\"/><enrollmentFlags xsi:nil=\"true\"/>\
         <generalFlags xsi:nil=\"true\"/><hashAlgorithmOIDReference>0</hashAlgorithmOIDReference>\
         <rARequirements xsi:nil=\"true\"/><keyArchivalAttributes xsi:nil=\"true\"/>\
         <extensions xsi:nil=\"true\"/></attributes></policy></policies>";
    let oids = [(0, 1, "2.16.840.1.101.3.4.2.1", "szOID_NIST_sha256"), (1, 9, TEMPLATE, "DeviceEnrollment")];
    let oids: String = oids.map(oid).concat();
    envelope(
        names::ACTION_GET_POLICIES_RESPONSE,
        relates_to,
        &body(policies, "<cAs xsi:nil=\"true\"/>", &oids),
    )
}

/// The same policy, with everything that AD CS and, with `attested`, servers which ask for attestation say beside it.
pub(super) fn full(relates_to: &str, public_url: &str, authority: &[u8], attested: bool) -> String {
    let (behaviour, attestation) =
        if attested { (BEHAVIOUR, attestation(public_url)) } else { ("", String::new()) };
    let extension = |(reference, value): (u8, &str)| {
        format!(
            "<extension><oIDReference>{reference}</oIDReference><critical>false</critical>\
             <value>{value}</value></extension>"
        )
    };
    // The template's identifier and version, its name (a BMPString), the key's usage and purpose.
    let extensions = [
        (6, "MBoGEisGAQQBgjcVCILGp2uFuINdAQIBZAIBAg=="),
        (7, "HiAARABlAHYAaQBjAGUARQBuAHIAbwBsAGwAbQBlAG4AdA=="),
        (8, "AwIHgA=="),
        (9, "MAoGCCsGAQUFBwMC"),
    ];
    let policies = format!(
        "<policyID>{{B6F0D6C3-2B3B-4A53-9B2B-6D1F0E2A7C11}}</policyID>\
         <policyFriendlyName>Contoso device enrollment</policyFriendlyName><nextUpdateHours>8</nextUpdateHours>\
         <policiesNotChanged>false</policiesNotChanged><policies><policy>\
         <policyOIDReference>1</policyOIDReference><cAs><cAReference>0</cAReference></cAs><attributes>\
         <commonName>DeviceEnrollment</commonName><policySchema>3</policySchema><certificateValidity>\
         <validityPeriodSeconds>31536000</validityPeriodSeconds>\
         <renewalPeriodSeconds>3628800</renewalPeriodSeconds></certificateValidity><permission>\
         <enroll>true</enroll><autoEnroll>true</autoEnroll></permission><privateKeyAttributes>\
         <minimalKeyLength>2048</minimalKeyLength><keySpec>1</keySpec><keyUsageProperty xsi:nil=\"true\"/>\
         <permissions>D:P(A;;GA;;;BA)(A;;GA;;;SY)</permissions>\
         <algorithmOIDReference>2</algorithmOIDReference>\
         {behaviour}<cryptoProviders>\
         <provider>Microsoft Platform Crypto Provider</provider>\
         <provider>Microsoft Software Key Storage Provider</provider></cryptoProviders>\
         </privateKeyAttributes><revision><majorRevision>100</majorRevision><minorRevision>2</minorRevision>\
         </revision><supersededPolicies><commonName>OldDeviceEnrollment</commonName></supersededPolicies>\
         <privateKeyFlags>84148241</privateKeyFlags><subjectNameFlags>9</subjectNameFlags>\
         <enrollmentFlags>65</enrollmentFlags><generalFlags>131648</generalFlags>\
         <hashAlgorithmOIDReference>0</hashAlgorithmOIDReference><rARequirements>\
         <rASignatures>0</rASignatures><rAEKUs><oIDReference>4</oIDReference></rAEKUs><rAPolicies>\
         <oIDReference>5</oIDReference></rAPolicies></rARequirements><keyArchivalAttributes>\
         <symmetricAlgorithmOIDReference>3</symmetricAlgorithmOIDReference>\
         <symmetricAlgorithmKeyLength>256</symmetricAlgorithmKeyLength></keyArchivalAttributes>\
         <extensions>{extensions}</extensions>{attestation}</attributes></policy></policies>",
        extensions = extensions.map(extension).concat(),
    );
    let issuers = format!(
        "<cAs><cA><uris><cAURI><clientAuthentication>4</clientAuthentication>\
         <uri>{url}/EnrollmentServer/Enrollment.svc</uri><priority>1</priority>\
         <renewalOnly>false</renewalOnly></cAURI><cAURI><clientAuthentication>1</clientAuthentication>\
         <uri>{url}/EnrollmentServer/Renewal.svc</uri><priority>2</priority><renewalOnly>true</renewalOnly>\
         </cAURI></uris><certificate>{certificate}</certificate><enrollPermission>true</enrollPermission>\
         <cAReferenceID>0</cAReferenceID></cA></cAs>",
        url = escape(public_url),
        certificate = STANDARD.encode(authority),
    );
    let oids = [
        (0, 1, "2.16.840.1.101.3.4.2.1", "szOID_NIST_sha256"),
        (1, 9, TEMPLATE, "DeviceEnrollment"),
        (2, 3, "1.2.840.113549.1.1.1", "RSA"),
        (3, 2, "2.16.840.1.101.3.4.1.42", "AES-256"),
        (4, 7, "1.3.6.1.4.1.311.20.2.1", "Certificate Request Agent"),
        (5, 8, "1.3.6.1.4.1.311.21.32", "User Credentials Verified"),
        (6, 6, "1.3.6.1.4.1.311.21.7", "Certificate Template Information"),
        (7, 6, "1.3.6.1.4.1.311.20.2", "Certificate Template Name"),
        (8, 6, "2.5.29.15", "Key Usage"),
        (9, 6, "2.5.29.37", "Enhanced Key Usage"),
    ];
    let oids: String = oids.map(oid).concat();
    let text = envelope(names::ACTION_GET_POLICIES_RESPONSE, relates_to, &body(&policies, &issuers, &oids));
    // WCF adds its trace header, by which the request is found in the server's logs.
    text.replacen("</s:Header>", &format!("{ACTIVITY}</s:Header>"), 1)
}

const ACTIVITY: &str = "<ActivityId CorrelationId=\"8c6060c4-3d78-4d73-ae17-e8bce88426ee\" \
     xmlns=\"http://schemas.microsoft.com/2004/09/ServiceModel/Diagnostics\">\
     a2b1e3d0-5c1f-4f6e-9a54-2f1b0f5c7d11</ActivityId>";

const BEHAVIOUR: &str = "<AttestationFailureBehavior>IgnoreOnError</AttestationFailureBehavior>\
     <OperationTimeout>100</OperationTimeout>";

fn attestation(public_url: &str) -> String {
    format!(
        "<attestation><attestationFailureBehavior>IgnoreOnError</attestationFailureBehavior>\
         <operationTimeout>100</operationTimeout><azureAttestation><nonce>bm9uY2UtMQ==</nonce>\
         <relyingPartyId>{}</relyingPartyId>\
         <endpointUri>https://contoso.attest.azure.net/attest</endpointUri></azureAttestation></attestation>",
        escape(public_url)
    )
}
