"""Workers as Ray actors: the only room that imports ray, beside the metrics tracker."""
