//! The walk: every element once, against what the tables declare for it.

use std::collections::HashSet;

use super::declare::{Child, Content, Global, Rest, Type};
use super::simple::Simple;
use super::{Breach, Wrong, discovery, security, soap, trust, xcep};
use crate::message::field::Spot;
use crate::message::names;
use crate::xml::{Attribute, Document, Element, XML};

/// More than this is not told: a message with so many mistakes is of another protocol.
const MAX_BREACHES: usize = 64;

/// What XML Schema lets stand on any element.
const INSTANCE: &[&str] = &["nil", "type", "schemaLocation", "noNamespaceSchemaLocation"];
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Everything about the document that is not as the schemas have it, in the order of the text.
pub(in crate::message) fn check(document: &Document) -> Vec<Breach> {
    let mut walker = Walker { breaches: Vec::new(), namespace: "", ids: HashSet::new() };
    if let Some(root) = document.root() {
        walker.lax(&root);
    }
    walker.breaches
}

fn globals() -> impl Iterator<Item = &'static Global> {
    [soap::GLOBALS, security::GLOBALS, xcep::GLOBALS, trust::GLOBALS, discovery::GLOBALS]
        .into_iter()
        .flatten()
}

/// Attributes that may stand on any element which takes those of other namespaces.
const GLOBAL_ATTRIBUTES: &[(&str, &str, Simple)] = &[
    (names::SOAP12, "mustUnderstand", Simple::Boolean),
    (names::SOAP12, "relay", Simple::Boolean),
    (names::WSA, "IsReferenceParameter", Simple::Boolean),
    (names::WSU, "Id", Simple::Id),
    (XML, "lang", Simple::Language),
];

struct Walker {
    breaches: Vec<Breach>,
    /// The namespace that the tables have for what is being judged.
    namespace: &'static str,
    /// The identifiers so far, which are unique in a document.
    ids: HashSet<String>,
}

/// What a breach is about, besides its place.
struct About {
    wrong: Wrong,
    within: &'static str,
    child: &'static str,
}

impl Walker {
    fn add(&mut self, spot: Spot, about: &About, expected: impl Into<String>, found: impl Into<String>) {
        if self.breaches.len() < MAX_BREACHES {
            let About { wrong, within, child } = *about;
            let (expected, found) = (expected.into(), found.into());
            self.breaches.push(Breach { spot, wrong, within, child, expected, found });
        }
    }

    /// An element where anything may be: judged if it is known, and so is what is in it.
    fn lax(&mut self, element: &Element<'_>) {
        let namespace = element.namespace().uri();
        let known = globals().find(|g| g.element.name == element.local() && g.namespace == namespace);
        if let Some(global) = known {
            return self.global(element, global);
        }
        // A message under another namespace is still that message, for everybody but a validator.
        let in_body = || element.parent().is_some_and(|p| p.local() == "Body");
        let message = globals().find(|g| {
            let own = [names::XCEP, names::DISCOVERY].contains(&g.namespace);
            own && g.element.name == element.local() && in_body()
        });
        if let Some(global) = message {
            let about = About { wrong: Wrong::OtherNamespace, within: global.element.kind.name, child: "" };
            self.add(Spot::tag(element), &about, global.namespace, shown(namespace));
            return self.global(element, global);
        }
        if let Some(global) = misplaced(element) {
            let about = About { wrong: Wrong::OtherNamespace, within: global.element.kind.name, child: "" };
            self.add(Spot::tag(element), &about, global.namespace, shown(namespace));
        }
        self.global_attributes(element);
        for child in element.children() {
            self.lax(&child);
        }
    }

    fn global(&mut self, element: &Element<'_>, global: &'static Global) {
        let outer = std::mem::replace(&mut self.namespace, global.namespace);
        self.element(element, &global.element, global.element.kind);
        self.namespace = outer;
    }

    /// An element that is `declared`, as a child of what has the type `parent`.
    fn element(&mut self, element: &Element<'_>, declared: &'static Child, parent: &'static Type) {
        let kind = declared.kind;
        let about = |wrong| About { wrong, within: parent.name, child: declared.name };
        if self.attributes(element, kind, parent) {
            let empty = element.text().is_empty() && element.children().next().is_none();
            if !declared.nillable {
                self.add(Spot::tag(element), &about(Wrong::NotNillable), "a value", "nil");
            } else if !empty {
                let found = format!("nil, and {}", inside(element));
                self.add(Spot::tag(element), &about(Wrong::NilWithContent), "nil, or a value", found);
            }
            return;
        }
        match kind.content {
            Content::Simple(simple) => {
                if let Some(child) = element.children().next() {
                    let about = About { wrong: Wrong::Unexpected, within: parent.name, child: declared.name };
                    self.add(Spot::tag(&child), &about, simple.words(), format!("<{}>", child.local()));
                } else if !simple.fits(&element.text(), element) {
                    let found = inside(element);
                    self.add(Spot::text(element), &about(Wrong::BadValue), simple.words(), found);
                }
            }
            Content::Elements { children, ordered, rest } => {
                let text = element.text();
                if !text.trim().is_empty() {
                    let about = About { wrong: Wrong::StrayText, within: kind.name, child: "" };
                    self.add(Spot::text(element), &about, "elements only", text.trim().to_owned());
                }
                self.children(element, kind, (children, ordered, rest));
            }
            Content::Mixed => element.children().for_each(|child| self.lax(&child)),
        }
    }

    fn children(
        &mut self,
        element: &Element<'_>,
        kind: &'static Type,
        (children, ordered, rest): (&'static [Child], bool, Rest),
    ) {
        let about = |wrong, child| About { wrong, within: kind.name, child };
        let mut counts = vec![0_usize; children.len()];
        // The furthest place in the declared order so far, and who is there.
        let mut furthest = (0, "");
        let mut in_order = true;
        let mut others = 0;
        for child in element.children() {
            // Under a parent in a wrong namespace, either will do: one mistake is one breach.
            let own = child.namespace() == element.namespace() || child.namespace().uri() == self.namespace;
            let Some((place, declared, fit)) = find(&child, own, children, &counts, rest) else {
                let fits = match rest {
                    Rest::None => false,
                    Rest::Any => true,
                    Rest::Other | Rest::OtherOrDeclared | Rest::Instead => {
                        child.namespace() != element.namespace()
                    }
                    Rest::One => others == 0,
                };
                others += 1;
                if fits {
                    furthest = (children.len(), child.local());
                    self.lax(&child);
                } else {
                    let expected = expected(children);
                    let found = format!("<{}>", child.local());
                    self.add(Spot::tag(&child), &about(Wrong::Unexpected, ""), expected, found);
                }
                continue;
            };
            match fit {
                Fit::Exact => {}
                Fit::OtherCase => {
                    let about = about(Wrong::Misspelled, declared.name);
                    self.add(Spot::tag(&child), &about, declared.name, child.local());
                }
                Fit::OtherNamespace => {
                    let about = about(Wrong::OtherNamespace, declared.name);
                    let (wanted, found) = (self.namespace, child.namespace().uri());
                    self.add(Spot::tag(&child), &about, wanted, shown(found));
                }
            }
            if let Some(count) = counts.get_mut(place) {
                *count += 1;
                if *count == declared.most.saturating_add(1) {
                    let about = about(Wrong::TooMany, declared.name);
                    self.add(Spot::tag(&child), &about, format!("one {}", declared.name), "another one");
                }
            }
            if ordered && in_order && place < furthest.0 {
                in_order = false;
                let (first, second) = (declared.name, furthest.1);
                let about = about(Wrong::OutOfOrder, declared.name);
                let expected = format!("{first} before {second}");
                self.add(Spot::tag(&child), &about, expected, format!("{first} after {second}"));
            }
            if place >= furthest.0 {
                furthest = (place, declared.name);
            }
            self.element(&child, declared, kind);
        }
        let known: usize = counts.iter().sum();
        for (declared, count) in children.iter().zip(counts) {
            if count < declared.least {
                let spot = Spot::tag(element).missing(declared.name);
                self.add(spot, &about(Wrong::Missing, declared.name), declared.name, "absent");
            }
        }
        let lacks_any = match rest {
            Rest::One => others == 0,
            Rest::OtherOrDeclared => others + known == 0,
            Rest::None | Rest::Any | Rest::Other | Rest::Instead => false,
        };
        if lacks_any {
            let about = about(Wrong::Missing, "");
            self.add(Spot::tag(element), &about, "an element inside", "none");
        }
        if rest == Rest::Instead && others > 0 && others + known > 1 {
            let about = about(Wrong::TooMany, "");
            self.add(Spot::tag(element), &about, "one element inside", "more");
        }
    }

    /// True when the element says that it is nil.
    fn attributes(&mut self, element: &Element<'_>, kind: &'static Type, parent: &'static Type) -> bool {
        let mut nil = false;
        // A plain value says nothing of whose it is.
        let plain = kind.attributes.is_empty() && !kind.other_attributes && kind.is_simple();
        let within = if plain { parent.name } else { kind.name };
        for attribute in element.attributes().filter(|a| !is_declaration(a)) {
            let (namespace, local) = (attribute.namespace().uri(), attribute.local());
            let declared = kind.attributes.iter().find(|a| a.name == local && a.namespace == namespace);
            let global = GLOBAL_ATTRIBUTES.iter().find(|(uri, name, _)| *uri == namespace && *name == local);
            let value = attribute.value();
            let wrong = |wrong, child| About { wrong, within, child };
            let foreign = !namespace.is_empty() && attribute.namespace() != element.namespace();
            match (declared, global) {
                (Some(declared), _) => {
                    let again = declared.simple == Simple::Id && !self.ids.insert(value.to_string());
                    if again || !declared.simple.fits(&value, element) {
                        let about = wrong(Wrong::AttributeBadValue, declared.name);
                        let spot = Spot::attribute(element, declared.name);
                        self.add(spot, &about, declared.simple.words(), value);
                    }
                }
                _ if namespace == XSI && INSTANCE.contains(&local) => {
                    nil |= local == "nil" && matches!(value.trim(), "true" | "1");
                    if local == "nil" && !Simple::Boolean.fits(&value, element) {
                        let about = wrong(Wrong::AttributeBadValue, "nil");
                        self.add(Spot::attribute(element, "nil"), &about, Simple::Boolean.words(), value);
                    }
                }
                (None, Some((_, name, simple))) if kind.other_attributes && foreign => {
                    self.global_attribute(element, (name, *simple), &value);
                }
                (None, _) if kind.other_attributes && foreign && !is_ours(kind, local) => {}
                (None, _) => {
                    // Without its prefix it means nothing to a validator; devices' and servers' readers may take it.
                    nil |= local == "nil" && matches!(value.trim(), "true" | "1");
                    let child = match local {
                        "nil" => "nil",
                        "mustUnderstand" => "mustUnderstand",
                        _ => "",
                    };
                    let about = wrong(Wrong::AttributeUnexpected, child);
                    let expected = if child == "nil" { "xsi:nil" } else { "no such attribute" };
                    self.add(Spot::tag(element), &about, expected, format!("@{}", attribute.name()));
                }
            }
        }
        for declared in kind.attributes.iter().filter(|a| a.required) {
            let there = element
                .attributes()
                .any(|a| a.local() == declared.name && a.namespace().uri() == declared.namespace);
            if !there {
                let about = About { wrong: Wrong::AttributeMissing, within: kind.name, child: declared.name };
                self.add(Spot::attribute(element, declared.name), &about, declared.name, "absent");
            }
        }
        nil
    }

    fn global_attributes(&mut self, element: &Element<'_>) {
        for attribute in element.attributes() {
            let (namespace, local) = (attribute.namespace().uri(), attribute.local());
            let known = GLOBAL_ATTRIBUTES.iter().find(|(uri, name, _)| *uri == namespace && *name == local);
            if let Some((_, name, simple)) = known {
                self.global_attribute(element, (name, *simple), &attribute.value());
            }
        }
    }

    fn global_attribute(&mut self, on: &Element<'_>, (name, simple): (&'static str, Simple), value: &str) {
        if !simple.fits(value, on) {
            let about = About { wrong: Wrong::AttributeBadValue, within: "", child: name };
            self.add(Spot::attribute(on, name), &about, simple.words(), value);
        }
    }
}

/// What an element would be in another namespace than it is in: a header block, a fault, a part of a credential or of a
/// token message. Under a parent in the same namespace, the mistake is the parent's.
fn misplaced(element: &Element<'_>) -> Option<&'static Global> {
    const PARENTS: &[&str] = &[
        "Header",
        "Body",
        "Security",
        "UsernameToken",
        "KeyInfo",
        "SecurityTokenReference",
        "RequestSecurityToken",
        "RequestSecurityTokenResponse",
        "RequestedSecurityToken",
        "Detail",
    ];
    let parent = element.parent().filter(|p| p.namespace() != element.namespace())?;
    globals().filter(|_| PARENTS.contains(&parent.local())).find(|g| g.element.name == element.local())
}

/// How a child is the one that is declared.
#[derive(Clone, Copy, PartialEq)]
enum Fit {
    Exact,
    OtherCase,
    OtherNamespace,
}

/// Which of the declared children this one is. Where more may follow, what only resembles one that is there already
/// is taken for something else.
fn find(
    child: &Element<'_>,
    same_namespace: bool,
    declared: &'static [Child],
    counts: &[usize],
    rest: Rest,
) -> Option<(usize, &'static Child, Fit)> {
    for (place, candidate) in declared.iter().enumerate() {
        let fit = if candidate.name == child.local() {
            if same_namespace { Fit::Exact } else { Fit::OtherNamespace }
        } else if same_namespace && candidate.name.eq_ignore_ascii_case(child.local()) {
            Fit::OtherCase
        } else {
            continue;
        };
        let seen = counts.get(place).is_some_and(|count| *count > 0);
        if fit == Fit::Exact || rest == Rest::None || !seen {
            return Some((place, candidate, fit));
        }
    }
    None
}

/// An attribute that means something here, were it not in another namespace.
fn is_ours(kind: &Type, local: &str) -> bool {
    local == "mustUnderstand" || kind.attributes.iter().any(|a| a.name == local)
}

fn is_declaration(attribute: &Attribute<'_>) -> bool {
    attribute.name() == "xmlns" || attribute.name().starts_with("xmlns:")
}

/// The longest list of names that is worth reading.
const NAMES: usize = 8;

fn expected(children: &[Child]) -> String {
    let names: Vec<_> = children.iter().map(|c| c.name).collect();
    match names.len() {
        0 => "nothing".to_owned(),
        1..=NAMES => format!("only {}", names.join(", ")),
        _ => "an element of the schema".to_owned(),
    }
}

fn inside(element: &Element<'_>) -> String {
    let text = element.text();
    match (text.trim(), element.children().next()) {
        ("", Some(child)) => format!("<{}>", child.local()),
        ("", None) => "empty".to_owned(),
        (text, _) => text.to_owned(),
    }
}

fn shown(namespace: &str) -> &str {
    if namespace.is_empty() { "no namespace" } else { namespace }
}
