"""The fifteen category names, in table order.

They are also the pytest markers, which are registered in every run of pytest that has the plugin
installed; importing the task modules for their names would cost such a run half a second.
"""

from __future__ import annotations

CATEGORIES: tuple[str, ...] = (
    "image_classification",
    "bbox_grounding",
    "ocr_text",
    "data_type_differentiation",
    "data_type_utilization",
    "structural_spatial_awareness",
    "depth_analysis",
    "subject_fixation",
    "segmentation",
    "outline_association",
    "geometric_3d_object_id",
    "camera_rotational_offset",
    "semantic_association",
    "vit_accuracy_to_prompt",
    "style_structural_awareness",
)
