"""Teachers: a model, its stored outputs, or a file of soft labels."""

from tinybert.teachers.file import FileTeacher, is_soft_label_file, read_soft_labels
from tinybert.teachers.model import ModelTeacher, capture_wanted, weights_digest
from tinybert.teachers.pooled import PooledTeacher
from tinybert.teachers.store import TeacherShape, TeacherStore, estimate_mb, make_room, store_key
from tinybert.teachers.target_store import TargetStore, estimate_targets_mb
from tinybert.teachers.teacher import Teacher, TeacherOutput, Wanted

__all__ = [
    "FileTeacher",
    "ModelTeacher",
    "PooledTeacher",
    "TargetStore",
    "Teacher",
    "TeacherOutput",
    "TeacherShape",
    "TeacherStore",
    "Wanted",
    "capture_wanted",
    "estimate_mb",
    "estimate_targets_mb",
    "is_soft_label_file",
    "make_room",
    "read_soft_labels",
    "store_key",
    "weights_digest",
]
