"""Images and volumes: made, copied, moved, merged, deleted; every change can be undone or finished by the next SPM."""
