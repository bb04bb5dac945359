# Overlays by checkpoint: VMMS knows the machine's disk by the path of an empty placeholder, and merges into that path by itself
# once the target is there.

# Of the target itself, while it is empty: there is no cmdlet that gives a new disk the identity of another. The target stands
# under its name only after it, so that it is never a copy of one that was written to.
function New-Placeholder {
    param([string]$From, [string]$To)
    $copy = Get-UnfinishedPath -Path $To
    [IO.File]::Copy($From, $copy)
    [IO.File]::Delete($To)
    Complete-File -From $copy -To $To
}

# The DataWriteGuid, which no cmdlet tells. Of two headers the one with the higher number counts: [MS-VHDX] 2.2.2. Null where
# there is no placeholder.
function Get-PlaceholderDataId {
    param($Path)
    if (($null -eq $Path) -or (-not [IO.File]::Exists($Path))) {
        return $null
    }
    $newest = [uint64]0
    $found = $null
    $file = New-Object -TypeName IO.FileStream -ArgumentList @(
        $Path, [IO.FileMode]::Open, [IO.FileAccess]::Read, [IO.FileShare]::ReadWrite)
    try {
        $reader = New-Object -TypeName IO.BinaryReader -ArgumentList $file
        foreach ($header in @(65536, 131072)) {
            $file.Position = $header + 8
            $number = $reader.ReadUInt64()
            $file.Position = $header + 32
            $bytes = $reader.ReadBytes(16)
            if (($null -eq $found) -or ($number -gt $newest)) {
                $newest = $number
                $found = New-Object -TypeName Guid -ArgumentList @(, $bytes)
            }
        }
    }
    finally {
        $file.Dispose()
    }
    return ConvertTo-Guid -Text ([string]$found)
}

# ReplaceFile leaves one state between its two renames: the place is empty, and both files have their other names. It gives the
# file that comes the rights of the one that goes:
# https://learn.microsoft.com/windows/win32/api/winbase/nf-winbase-replacefilew
function Invoke-PutTarget {
    param($Request)
    $target = [IO.File]::Exists($Request.target)
    $place = [IO.File]::Exists($Request.place)
    $kept = [IO.File]::Exists($Request.kept)
    $vm = Find-Machine -RecoveryId $Request.recoveryId
    if ($Request.to -eq 'place') {
        # One that is merged its owner may have moved.
        if ((-not $target) -and ($Request.merged -or ($place -and $kept))) {
            return [ordered]@{ changed = $false }
        }
        $from = $Request.target
        $aside = $Request.kept
        $whole = $target -and $place -and (-not $kept)
    }
    else {
        if ($target -and (-not $kept) -and ($place -or $Request.merged)) {
            return [ordered]@{ changed = $false }
        }
        $from = $Request.kept
        $aside = $Request.target
        $whole = $kept -and $place -and (-not $target)
    }
    $between = $target -and $kept -and (-not $place)
    $merged = $Request.merged -and $place -and (-not $kept) -and (-not $target) -and ($null -eq $vm)
    if (-not ($whole -or $between -or $merged)) {
        Stop-Operation -Code 'chain_unexpected' -Message "of $($Request.target), $($Request.place) and $($Request.kept) there are: $target, $place, $kept"
    }
    if ($null -ne $vm) {
        Assert-NotRunningOn -Vm $vm -Path $Request.place
    }
    if ($merged) {
        Complete-File -From $Request.place -To $Request.target
        return [ordered]@{ changed = $true }
    }
    if ($between) {
        Complete-File -From $from -To $Request.place
    }
    else {
        [IO.File]::Replace($from, $Request.place, $aside)
        Sync-File -Path $Request.place
    }
    return [ordered]@{ changed = $true }
}

function Assert-NotRunningOn {
    param($Vm, [string]$Path)
    $state = Get-SettledState -Vm $Vm
    if (@(Get-RestingStates) -contains $state) {
        return
    }
    foreach ($drive in @(Get-VMHardDiskDrive -VM $Vm)) {
        if (($drive.Path -eq $Path) -or ((Get-ParentPath -Path $drive.Path) -eq $Path)) {
            Stop-Operation -Code 'state_wrong' -Message "$($Vm.Name) is $state, and has $Path open"
        }
    }
}

function Get-CheckpointName {
    param([string]$RecoveryId)
    return 'rouse-' + $RecoveryId
}

function Select-OwnCheckpoint {
    param($Snapshots, [string]$RecoveryId)
    $name = Get-CheckpointName -RecoveryId $RecoveryId
    foreach ($snapshot in @($Snapshots)) {
        if ([string]$snapshot.Name -eq $name) {
            $snapshot
        }
    }
}

# Checkpoint-VM has it made, and names it afterwards (a guess): who dies in between leaves one with the name that Windows gives,
# of the machine with date and time in the host's own way. Ours where it is the machine's only one, and was about to be made.
# https://learn.microsoft.com/virtualization/hyper-v-on-windows/user-guide/checkpoints
function Select-UnnamedCheckpoint {
    param($Vm, $Snapshots, [string]$RecoveryId)
    $all = @($Snapshots)
    if (($all.Length -ne 1) -or (-not (Test-CheckpointWarning -Vm $Vm -RecoveryId $RecoveryId))) {
        return
    }
    $name = [string]$all[0].Name
    if ($name -eq '') {
        return $all[0]
    }
    foreach ($between in @(' - (', ' (')) {
        if ($name.StartsWith($Vm.Name + $between, [StringComparison]::Ordinal) -and ($name -like '*)')) {
            return $all[0]
        }
    }
}

# Each of the machine's disks, and no others, stands on its placeholder, as the checkpoint has left them.
function Assert-OnPlaceholders {
    param($Vm, $Disks)
    $drives = @(Get-VMHardDiskDrive -VM $Vm)
    if ($drives.Length -ne @($Disks).Length) {
        Stop-Operation -Code 'chain_unexpected' -Message "$($Vm.Name) has $($drives.Length) disks, not $(@($Disks).Length)"
    }
    foreach ($disk in $Disks) {
        Test-DiskIdentity -Path $disk.placeholder -VirtualDiskId $disk.placeholderId
        [void](Get-Leaf -Vm $Vm -Disk $disk -Allowed $disk.placeholder)
    }
}

function Get-Leaf {
    param($Vm, $Disk, $Allowed)
    $drive = @(Get-DriveAt -Vm $Vm -Slot $Disk.slot)
    if ($drive.Length -eq 0) {
        Stop-Operation -Code 'chain_unexpected' -Message "$($Vm.Name) has no disk where $($Disk.placeholder) was"
    }
    [void](Assert-Parent -Path $drive[0].Path -Allowed $Allowed)
    return [string]$drive[0].Path
}

function Get-CheckpointWarning {
    param([string]$RecoveryId)
    return "Do not apply or delete the checkpoint $(Get-CheckpointName -RecoveryId $RecoveryId)"
}

function Test-CheckpointWarning {
    param($Vm, [string]$RecoveryId)
    return (([string]$Vm.Notes) -split "`r?`n") -contains (Get-CheckpointWarning -RecoveryId $RecoveryId)
}

# Whoever applies it starts from an empty disk. Also says that it was about to be made.
function Set-CheckpointWarning {
    param($Vm, [string]$RecoveryId)
    if (-not (Test-CheckpointWarning -Vm $Vm -RecoveryId $RecoveryId)) {
        Set-VM -VM $Vm -Notes ([string]$Vm.Notes + "`r`n" + (Get-CheckpointWarning -RecoveryId $RecoveryId))
    }
}

# Standard: of a machine that is off a production checkpoint may be one too, or none (a guess).
function Invoke-MakeCheckpoint {
    param($Request)
    $vm = Get-Machine -RecoveryId $Request.recoveryId
    Assert-State -Vm $vm -Allowed @('Off')
    $snapshots = @(Get-VMSnapshot -VM $vm)
    $own = @(Select-OwnCheckpoint -Snapshots $snapshots -RecoveryId $Request.recoveryId)
    $unnamed = @(Select-UnnamedCheckpoint -Vm $vm -Snapshots $snapshots -RecoveryId $Request.recoveryId)
    if ($unnamed.Length -gt 0) {
        Assert-OnPlaceholders -Vm $vm -Disks $Request.disks
        Rename-VMSnapshot -VMSnapshot $unnamed[0] -NewName (Get-CheckpointName -RecoveryId $Request.recoveryId)
    }
    elseif ($own.Length -eq 0) {
        foreach ($disk in $Request.disks) {
            Test-DiskIdentity -Path $disk.placeholder -VirtualDiskId $disk.placeholderId
            Connect-Overlay -Vm $vm -Path $disk.placeholder -Slot $disk.slot
        }
        Set-CheckpointWarning -Vm $vm -RecoveryId $Request.recoveryId
        Set-VM -VM $vm -CheckpointType 'Standard'
        Checkpoint-VM -VM $vm -SnapshotName (Get-CheckpointName -RecoveryId $Request.recoveryId)
    }
    Set-VM -VM $vm -CheckpointType 'Disabled'
    $overlays = @()
    foreach ($disk in $Request.disks) {
        $overlays += , (Get-Leaf -Vm $vm -Disk $disk -Allowed @($disk.placeholder, $disk.base))
    }
    return [ordered]@{ overlays = $overlays }
}

# Of a machine that runs or is off VMMS merges when the checkpoint is gone, and goes on with that after its own end (told):
# https://learn.microsoft.com/troubleshoot/windows-server/virtualization/merge-checkpoints-with-many-differencing-disks
function Invoke-RemoveCheckpoint {
    param($Request)
    $vm = Get-Machine -RecoveryId $Request.recoveryId
    $own = @(Select-OwnCheckpoint -Snapshots @(Get-VMSnapshot -VM $vm) -RecoveryId $Request.recoveryId)
    if ($own.Length -gt 0) {
        Assert-State -Vm $vm -Allowed @('Off', 'Running', 'Paused')
        Assert-Disks -Vm $vm -Disks $Request.disks
        foreach ($snapshot in $own) {
            Remove-VMSnapshot -VMSnapshot $snapshot
        }
    }
    [void](Remove-FilesInside -Paths $Request.kept -Directory $Request.directory)
    return [ordered]@{ removed = ($own.Length -gt 0) }
}

# What VMMS merges it has open until it is done. That it says so of this merge is a guess, the value is documented:
# https://learn.microsoft.com/windows/win32/hyperv_v2/msvm-computersystem
function Assert-NotMerging {
    param($Vm)
    foreach ($status in @((Get-VM -Id $Vm.Id).OperationalStatus)) {
        if ([string]$status -eq 'MergingDisks') {
            Stop-Operation -Code 'busy' -Message "Windows is merging the disks of $($Vm.Name)"
        }
    }
}

# Of a machine that goes. Remove-VM merges checkpoints into what they stand on, after the machine is gone, which is the volume
# or an empty disk: what is not there it cannot merge.
# https://learn.microsoft.com/powershell/module/hyper-v/remove-vm
function Remove-Leaves {
    param([string]$Directory)
    if (-not [IO.Directory]::Exists($Directory)) {
        return
    }
    try {
        [void](Remove-FilesInside -Paths @([IO.Directory]::GetFiles($Directory, '*.avhdx')) -Directory $Directory)
    }
    catch {
        $failure = Get-Failure -Record $_
        if ($failure.hresult -ne '0x80070020') {
            throw
        }
        Stop-Operation -Code 'busy' -Message "Windows is merging what a checkpoint has left: $($failure.message)"
    }
}
