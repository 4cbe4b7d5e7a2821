"""Our datasets, files and publishers in CKAN's form. Sizes and hashes are told for unconditional files only."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from opendata.catalog import service as catalog
from opendata.catalog.models import Dataset, Edition
from opendata.identity import Organization
from opendata.settings import Settings
from opendata.web import doors, views
from opendata.web.ckan_asked import Caller

NAMESPACE = uuid.UUID("5f0f4f2e-8f0c-5a43-9d9e-0b6d1d6a2c11")

MEDIA_TYPES = {name: value.partition(";")[0] for name, value in doors.MEDIA_TYPES.items()}


def package(caller: Caller, dataset: Dataset) -> dict[str, Any]:
    """A dataset in CKAN's form."""
    publisher = caller.session.get(Organization, dataset.organization_id)
    edition = catalog.current_edition(caller.session, dataset)
    resources = [] if edition is None else _resources(caller.settings, dataset, edition)
    extras = {
        "title_en": dataset.title_en,
        "notes_en": dataset.summary_en,
        "level": dataset.level or "",
        "opening_class": edition.opening_class if edition else "closed",
        "update_frequency": dataset.update_frequency,
        "origin": dataset.origin_zh,
        "theme": dataset.theme,
    }
    if edition is not None:
        extras["deidentification_effect"] = str(edition.effect or "")
    return {
        "id": dataset.id,
        "name": dataset.name,
        "title": dataset.title_zh,
        "title_translated": {"zh": dataset.title_zh, "en": dataset.title_en},
        "notes": dataset.summary_zh,
        "type": "dataset",
        "state": "active",
        "private": False,
        "author": publisher.name_zh if publisher else "",
        "author_email": None,
        "maintainer": publisher.name_zh if publisher else "",
        "maintainer_email": None,
        "license_id": dataset.licence,
        "license_title": dataset.licence,
        "license_url": "",
        "isopen": edition is not None and views.is_unconditional(edition),
        "url": f"{caller.settings.public_url}/dataset/{dataset.name}",
        "version": edition.id if edition else None,
        "creator_user_id": None,
        "owner_org": dataset.organization_id,
        "metadata_created": _moment(dataset.created_at),
        "metadata_modified": _moment(dataset.updated_at),
        "num_resources": len(resources),
        "num_tags": len(dataset.keywords),
        "organization": organization(publisher) if publisher else None,
        "groups": [],
        "tags": [
            {
                "id": str(uuid.uuid5(NAMESPACE, word)),
                "name": word,
                "display_name": word,
                "state": "active",
                "vocabulary_id": None,
            }
            for word in dataset.keywords
        ],
        "extras": [{"key": key, "value": value} for key, value in extras.items()],
        "relationships_as_subject": [],
        "relationships_as_object": [],
        "resources": resources,
    }


def _resources(settings: Settings, dataset: Dataset, edition: Edition) -> list[dict[str, Any]]:
    public = views.is_unconditional(edition)
    resources = []
    for position, item in enumerate(edition.files):
        format_ = str(item["format"])
        if format_ not in doors.MEDIA_TYPES:
            continue
        resources.append(
            {
                "id": resource_id(item, dataset),
                "package_id": dataset.id,
                "name": f"{dataset.title_zh} ({format_.upper()})",
                "description": "",
                "format": format_.upper(),
                "mimetype": MEDIA_TYPES[format_],
                "mimetype_inner": None,
                "url": f"{settings.public_url}/api/v1/datasets/{dataset.name}/download.{format_}",
                "size": item["bytes"] if public else None,
                "hash": f"sha256:{item['sha256']}" if public else "",
                "created": _moment(edition.published_at),
                "last_modified": _moment(edition.published_at),
                "metadata_modified": _moment(edition.published_at),
                "position": position,
                "state": "active",
                "datastore_active": format_ == "parquet",
                "url_type": None,
                "resource_type": "file",
                "cache_url": None,
                "cache_last_updated": None,
            }
        )
    return resources


def organization(item: Organization) -> dict[str, Any]:
    """A publisher in CKAN's form."""
    return {
        "id": item.id,
        "name": slug(item),
        "title": item.name_zh,
        "display_name": item.name_zh,
        "type": "organization",
        "description": item.name_en or "",
        "image_url": "",
        "created": None,
        "is_organization": True,
        "approval_status": "approved",
        "state": "active",
    }


def slug(item: Organization) -> str:
    """A stable name without spaces; CKAN's clients put it into addresses."""
    slug = re.sub(r"[^a-z0-9]+", "-", (item.name_en or "").lower()).strip("-")
    return slug or item.id


def resource_id(item: Mapping[str, Any], dataset: Dataset) -> str:
    """The id of a file, the same in every edition."""
    return str(uuid.uuid5(NAMESPACE, f"{dataset.id}/{item['format']}"))


def _moment(value: Any) -> str | None:
    return None if value is None else value.strftime("%Y-%m-%dT%H:%M:%S.%f")
