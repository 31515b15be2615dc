"""Data sent for a version after its registration. The latest body of each kind is stored."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import select

from aporia_provider.backend.deadlines import check_deadline
from aporia_provider.backend.registration.scope import RegistryBase
from aporia_provider.backend.store.json_columns import check_json
from aporia_provider.backend.store.lookups import find_version, upsert
from aporia_provider.backend.store.tables import AttachmentRow, utc_now
from aporia_provider.errors import ValidationError
from aporia_provider.models import finite_numbers
from aporia_provider.nearest import nearest

Kind = Literal[
    "feature_importance", "feature_positions", "model_artifact", "index_to_word_mapping", "training_sample"
]
ARTIFACT_TYPES = ("onnx", "h5")


class Attachments(RegistryBase):
    """Registry methods that add data to a version."""

    def set_feature_importance(
        self, model_id: str, model_version: str, feature_importance: Mapping[str, float]
    ) -> None:
        """Set the importance of features."""
        numbers, problems = finite_numbers(feature_importance)
        self._attach_to_features(model_id, model_version, "feature_importance", numbers, problems)

    def set_feature_positions(
        self, model_id: str, model_version: str, feature_positions: Mapping[str, int]
    ) -> None:
        """
        Set the order of features.

        :param feature_positions: Distinct integers by name of the feature; they need not be consecutive.
        """
        faults = [
            f"{name}: {value!r} is not an integer"
            for name, value in feature_positions.items()
            if isinstance(value, bool) or not isinstance(value, int)
        ]
        if not faults and len(set(feature_positions.values())) < len(feature_positions):
            faults = ["two features have the same position"]
        self._attach_to_features(model_id, model_version, "feature_positions", feature_positions, faults)

    def set_model_artifact(
        self, model_id: str, model_version: str, artifact_base64: str, artifact_type: str
    ) -> None:
        """Store the file of the model, for explanations."""
        faults = []
        if artifact_type not in ARTIFACT_TYPES:
            faults.append(f"artifact_type: {artifact_type!r} is not one of {', '.join(ARTIFACT_TYPES)}")
        if not _is_base64(artifact_base64):
            faults.append("artifact_base64: is not base64")
        body = {"artifact_base64": artifact_base64, "artifact_type": artifact_type}
        self._attach(model_id, model_version, "model_artifact", body, faults)

    def set_index_to_word_mapping(
        self, model_id: str, model_version: str, mapping: Mapping[str, str]
    ) -> None:
        """Store the words that the indexes of a text model represent."""
        faults = []
        for index, word in mapping.items():
            if not (isinstance(index, str) and index.isascii() and index.isdigit()):
                faults.append(f"{index!r} is not an index")
            if not isinstance(word, str):
                faults.append(f"{index!r}: {word!r} is not a word")
        self._attach(model_id, model_version, "index_to_word_mapping", mapping, faults)

    def set_training_sample(
        self,
        model_id: str,
        model_version: str,
        features: Sequence[Mapping[str, Any]],
        labels: Sequence[Mapping[str, Any]] | None = None,
        raw_inputs: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Store a sample of the training set."""
        body = {"features": features, "labels": labels, "raw_inputs": raw_inputs}
        faults = [f"{name}: is not a list of rows" for name, rows in body.items() if not _are_rows(rows)]
        if features is None:
            faults.append("features: is required")
        self._attach(model_id, model_version, "training_sample", body, faults)

    def get_attachment(self, model_id: str, model_version: str, kind: Kind) -> dict[str, Any] | None:
        """
        Return the data of a kind that was sent last, or the importance that the version was registered with.
        """
        with self.database.read_transaction() as session:
            version = find_version(session, self.environment, model_id, model_version)
            row = session.scalar(select(AttachmentRow).filter_by(version_key=version.key, kind=kind))
            body: dict[str, Any] | None = row.body if row else version.registration.get(kind)
            return body

    def _attach_to_features(
        self, model_id: str, model_version: str, kind: Kind, body: Mapping[str, Any], faults: list[str]
    ) -> None:
        with self.database.read_transaction() as session:
            version = find_version(session, self.environment, model_id, model_version)
            features: Collection[str] = version.registration["version_schema"]["features"]
        unknown = [_unknown(name, features) for name in body if name not in features]
        self._attach(model_id, model_version, kind, body, [*unknown, *faults])

    def _attach(
        self, model_id: str, model_version: str, kind: Kind, body: Mapping[str, Any], faults: list[str]
    ) -> None:
        if faults:
            raise ValidationError(f"The {kind.replace('_', ' ')} is not valid", problems=faults)
        check_json(body)
        with self.database.write_transaction() as session:
            version = find_version(session, self.environment, model_id, model_version)
            values = {"body": dict(body), "created_at": utc_now()}
            upsert(session, AttachmentRow, {"version_key": version.key, "kind": kind}, values)


def _unknown(name: Any, features: Collection[str]) -> str:
    check_deadline()
    return f"{name!r} is not a feature; {nearest(str(name), features)}"


def _is_base64(text: Any) -> bool:
    try:
        return isinstance(text, str) and bool(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return False


def _are_rows(rows: Any) -> bool:
    return rows is None or (isinstance(rows, list | tuple) and all(isinstance(row, Mapping) for row in rows))
